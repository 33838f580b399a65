"""WHEN: flows are sentences that chain tasks; cli.py and commands/ are the same for a terminal.

May import: tasks, configs, w2v_core. Read retrain.py first.
"""
