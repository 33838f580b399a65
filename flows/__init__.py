"""Flows: they chain the tasks of a retraining and of the work around it; `cli` is the command line.

May import: tasks, configs, w2v_core. Read retrain.py first.
"""
