"""Access to Prefect: artifacts of a run, and flow runs seen from outside."""
