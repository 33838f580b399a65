"""Who may use a server of ours: the guard, its limits, credentials and networks."""
