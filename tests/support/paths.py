"""Paths of the project and of the shared data beside it."""

from pathlib import Path

PROJECT = Path(__file__).parents[2]
SHARED = PROJECT.parent / "shared"
