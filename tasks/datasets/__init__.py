"""Schemas of the datasets between stages, and files of users: digests, lines, word lists, outputs."""
