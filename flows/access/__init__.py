"""Access control for our servers: the guard in front of them, its limits, credentials and networks."""
