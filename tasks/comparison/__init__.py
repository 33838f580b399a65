"""Compare published runs, compare corpora, and measure the spread over seeds."""
