"""A workspace is restored from a backup made cold or during a retraining, as docs/how-to/backup-upgrade.md says."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.schema import Config
from flows.cli.output import verify
from flows.planning.plan import plan
from flows.retrain import retrain
from tasks.errors import TrackingError

pytestmark = pytest.mark.usefixtures("prefect_server")


def cold(workspace: Path, backup: Path) -> None:
    shutil.copytree(workspace, backup)


def at_work(workspace: Path, backup: Path) -> None:
    """Copy the database first, so that everything it refers to is in what is copied after it."""
    backup.mkdir()
    with sqlite3.connect(workspace / "mlflow.db") as database:
        database.execute("VACUUM INTO ?", [str(backup / "mlflow.db")])
    for folder in ("mlartifacts", "store"):
        shutil.copytree(workspace / folder, backup / folder)


@pytest.mark.parametrize("back_up", [cold, at_work])
def test_a_workspace_comes_back(
    back_up: Callable[[Path, Path], None], config: Config, workspace: Path, tmp_path: Path
) -> None:
    """Every file, figure and output of the run is as certified, and there is nothing to do."""
    done = retrain(config)
    back_up(workspace, tmp_path / "backup")

    shutil.rmtree(workspace)
    with pytest.raises(TrackingError, match="there is no workspace"):
        verify.examine(workspace, done.run_id)
    shutil.copytree(tmp_path / "backup", workspace)

    assert verify.examine(workspace, done.run_id) == 0
    assert plan(config).nothing_to_do
    assert retrain(config).run_id == done.run_id
