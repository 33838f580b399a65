"""WHEN: flows are sentences that chain tasks; cli.py is the same for a terminal.

May import: tasks, configs, w2v_core. Read retrain.py first.
"""
