"""Prefect deployments of the flows, and the automations that notify."""
