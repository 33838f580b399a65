"""Normalise and cut text: one form of words for corpus and queries, patterns and segmenters."""
