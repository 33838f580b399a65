"""Published runs side by side, corpora side by side, and the spread over seeds."""
