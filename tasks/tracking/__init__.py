"""Tracking: MLflow's runs and models, and which process owns which run. Only this package writes to MLflow.

May import: tasks.engine and what that imports; tasks.vectors, tasks.text; never w2v_core. No stage's key covers it.
Read in this order: names, session, run; ownership, single_flight, heartbeat; registry, models, pyfunc; contents;
client; the rest.
"""
