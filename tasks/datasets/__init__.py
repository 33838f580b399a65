"""Schemas of the datasets between stages, and helpers for users' files: digests, lines, word lists, outputs."""
