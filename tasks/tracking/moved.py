"""Rewrite the paths of a moved workspace in the tables of MLflow's and Prefect's databases."""

import contextlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from tasks.tracking.database_lock import patiently
from tasks.tracking.database_paths import artifact_address, artifact_folder

SOON, WAIT = 1, 60  # seconds to wait for a database that another process writes to: before that is logged; in all
PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
    "datasets": ("dataset_source",),
    "trace_tags": ("value",),
    "workspaces": ("default_artifact_root", "trace_archival_location"),
}  # tables of MLflow and their columns with paths
COMING = {
    "deployment": ("parameters", "infra_overrides"),
    "deployment_schedule": ("parameters",),
    "flow_run": ("parameters", "job_variables"),
}  # tables of Prefect and their columns with paths; of flow runs only those that have not ended
OVER = "('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"


class Move(NamedTuple):
    """A move of the workspace: its former place, as the database has it, and its present folder."""

    before: str
    here: Path

    @property
    def folder(self) -> Path:
        """Return the former folder."""
        return Path(self.before) if self.misread else artifact_folder(self.before) or Path(self.before)

    @property
    def misread(self) -> Path | None:
        """Return the folder that MLflow used if it misread the path: an earlier version gave it `a%20b` unquoted."""
        folder = artifact_folder(self.before)
        return folder if folder and self.before.startswith("/") and folder != Path(self.before) else None

    def apply(self, value: Any) -> Any:
        """Return the value of a column with every path in the workspace updated. Other values stay as they are."""
        if not isinstance(value, str):
            return value
        if value[:1] not in ("{", "["):
            return _replaced(value, self.before, artifact_address(self.here))
        try:
            return json.dumps(self._within(json.loads(value)))
        except ValueError:
            return value

    def _within(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._within(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._within(each) for each in value]
        if not isinstance(value, str):
            return value
        before, here = str(self.folder), str(self.here)
        return _replaced(_replaced(value, before, here), f"sqlite:///{before}", f"sqlite:///{here}")


def change(database: Path, columns: dict[str, tuple[str, ...]], move: Move) -> int:
    """Update these columns in one transaction; return the number of values changed, 0 without a database."""
    return patiently(str(database), lambda: _update(database, columns, move)) if database.exists() else 0


def _update(database: Path, columns: dict[str, tuple[str, ...]], move: Move) -> int:
    changed = 0
    with closing(sqlite3.connect(database, timeout=SOON, isolation_level=None)) as writing:
        writing.create_function("moved", 1, move.apply, deterministic=True)
        writing.execute("BEGIN IMMEDIATE")
        try:
            for table, names in columns.items():
                known = {row[1] for row in writing.execute(f'PRAGMA table_info("{table}")')}
                open_only = f" AND state_type NOT IN {OVER}" if table == "flow_run" else ""
                for name in known.intersection(names):
                    statement = f"UPDATE {table} SET {name} = moved({name}) WHERE {name} != moved({name}){open_only}"
                    changed += writing.execute(statement).rowcount
            writing.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                writing.execute("ROLLBACK")
            raise
    return changed


def _replaced(text: str, before: str, after: str) -> str:
    """Return the path `text` with the folder `before` at its start replaced by `after`."""
    return after + text.removeprefix(before) if text == before or text.startswith(f"{before}/") else text
