"""Planning: which stages a command would run, what they would cost, and what to warn about."""
