"""Moves data and tells of it, but computes no result: stages, the store, threads, waiting."""
