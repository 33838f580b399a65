"""Compare a challenger with the champion, decide, and record the decision."""
