"""MLflow, and who works on which of its runs. The one package that writes to MLflow."""
