"""Configs: the experiments (*.toml), their schema, and how they are read and checked.

May import: pydantic. Defaults exist in schema.py and nowhere else.
"""
