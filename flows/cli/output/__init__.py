"""Print what commands found or did, for people and as JSON; `shapes` defines the JSON, `tables` how a table looks."""
