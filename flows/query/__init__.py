"""The vectors and figures of finished runs: for notebooks, servers and the command line."""
