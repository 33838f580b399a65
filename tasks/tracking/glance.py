"""Look into the workspace's own database without MLflow, whose import takes seconds: for a shell that completes a word.

The tables are MLflow's: if a version has others, nothing is found.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

MODELS = "SELECT name FROM registered_models ORDER BY name"
RUNS = "SELECT run_uuid, name FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time DESC LIMIT ?"


def glance(database: Path, last: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the names of the registered models, and the ids and names of the newest runs; nothing if unreadable."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as reading:
            models = [name for (name,) in reading.execute(MODELS)]
            return models, [(run[:8], name) for run, name in reading.execute(RUNS, [last])]
    except sqlite3.Error:
        return [], []
