"""Empty databases of Prefect and MLflow, as SQL that `make tables` writes.

May import nothing of the project.
"""
