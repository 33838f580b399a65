"""MLflow's address: that of a config, of a workspace, or of one whose runs must exist already."""

import os
from pathlib import Path

from configs.schema import Config
from tasks.errors import TrackingError
from tasks.tracking.database_paths import DATABASE, address_of, check_name, database_at


def uri(config: Config) -> str:
    """Return MLflow's address: tracking.uri, else that of the workspace."""
    return config.tracking.uri or workspace_uri(Path(config.runtime.workspace))


def workspace_uri(workspace: Path) -> str:
    """Return MLFLOW_TRACKING_URI, else the address of a database in the workspace.

    Raises StoreError if the path of the workspace is one that SQLite cannot open.
    """
    if elsewhere := os.environ.get("MLFLOW_TRACKING_URI"):
        return elsewhere
    check_name(workspace)
    return address_of(workspace / DATABASE)


def runs_of(workspace: Path) -> str:
    """Return MLflow's address of the workspace. Raises TrackingError if its database does not exist yet."""
    return _existing(workspace_uri(workspace), workspace)


def runs_of_config(config: Config) -> str:
    """Return MLflow's address of a config. Raises TrackingError if its database does not exist yet."""
    return _existing(uri(config), Path(config.runtime.workspace))


def is_shared(uri: str, workspace: Path) -> bool:
    """Return True if other workspaces may use this MLflow, too."""
    return uri != address_of(workspace / DATABASE)


def exists(uri: str) -> bool:
    """Return True if there is something to ask: a server, or a database file that has been created."""
    database = database_at(uri)
    return database is None or database.exists()


def _existing(found: str, workspace: Path) -> str:
    if not exists(found):
        missing = "no runs yet" if workspace.exists() else "there is no workspace here"
        raise TrackingError(f"{workspace}: {missing}.\nRun `w2v retrain` first, or give another --workspace.")
    return found
