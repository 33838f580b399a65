"""The Prefect and MLflow servers that a command uses: their settings, and those that it starts itself."""
