"""`w2v up`: a Prefect server, an MLflow server and a worker on one machine, kept running by one process of ours.

Read place.py (what says that it runs), parts.py (what runs), supervisor.py (how it is kept running), control.py (up and
down), then status.py and units.py. The package knows the flows only through flows/deployment/deploy.py.
"""
