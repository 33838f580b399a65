"""Outputs: their manifests, the references to them, and the store that hosts share.

May import what the engine may. Read in this order: manifest, dataset; remote, sharing, readiness.
"""
