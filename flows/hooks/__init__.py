"""Prefect hooks: the name of a flow run, and what is done when it fails or is stopped."""
