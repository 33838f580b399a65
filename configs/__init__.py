"""Configs: the experiments (*.toml), their schema, and how they are read and checked.

May import: pydantic; none of our other packages. Defaults exist in schema.py and nowhere else.
Read in this order: quickstart.toml, schema, loading; then grids, migrations, addresses, names, workspaces.
"""
