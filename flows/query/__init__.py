"""Queries: the vectors and figures of finished runs, for notebooks, the HTTP server and the command line."""
