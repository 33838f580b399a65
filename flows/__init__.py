"""Flows: they chain the tasks of a retraining and of the work around it; `cli` is the command line.

May import: tasks, configs, w2v_core, and floors below (see the layers in pyproject.toml).
Read in this order: retrain; planning, hooks; the other commands as flows (backfill, sweep, seeds, reproduce, retain,
reconcile); query, serving; servers, service, access; deployment; cli.
"""
