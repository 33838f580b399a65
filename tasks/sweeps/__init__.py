"""Candidates of a sweep: drawn, trained ever longer, ranked and drawn as a picture."""
