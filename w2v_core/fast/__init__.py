"""The fast path: blocks of windows as matrix products."""
