"""vocabulary, windows → vectors: how a training starts, runs and records its curve."""
