"""The form of words: normalization, patterns and segmenters, the same on every side."""
