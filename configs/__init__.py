"""Configs: the experiments (*.toml), their schema, and how they are read and checked.

May import: pydantic; none of our other packages. Defaults exist in schema.py and stages.py, nowhere else.
Read in this order: quickstart.toml, section, stages, schema, loading; then the rest.
"""
