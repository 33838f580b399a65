"""HOW MUCH: the experiments (*.toml) and the schema that each of them obeys.

May import: pydantic. Defaults exist in schema.py and nowhere else.
"""
