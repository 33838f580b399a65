"""`w2v up`: a Prefect server, an MLflow server and a worker on one machine, supervised by one process.

Read state.py (the record of the running service), components.py (its parts), supervised.py and supervisor.py (keeping
them running), control.py (up and down), then status.py and units.py. Of the flows it imports only
flows/deployment/deploy.py.
"""
