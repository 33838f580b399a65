"""Vectors over HTTP."""
