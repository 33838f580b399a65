"""vocabulary, windows → vectors: initialise, train, and record the curve."""
