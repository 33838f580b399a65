"""What `w2v status` says of the engine."""

from pathlib import Path

import pytest

from flows.service import status
from flows.service.state import MARK, Place
from tasks.engine.workers import call
from tasks.engine.workers.processes import Processes
from tests.support.paths import PROJECT
from tests.support.stages import loaded


def test_the_next_run_names_engine_workers_and_memory() -> None:
    """As `w2v plan` does; nothing is said of the config of a version that had other settings."""
    runtime = {"engine": "processes", "workers": 8}

    assert status.engine({"config": {"runtime": runtime}}) == (
        "8 processes at the preparation of the text, ~250 MB each"
    )
    assert status.engine({"config": {"runtime": runtime | {"engine": "steam"}}}) == ""


def test_workers_of_the_service_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its memory; those of other workspaces are not."""
    here, elsewhere = Place(tmp_path / "here"), Place(tmp_path / "elsewhere")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setenv(MARK, str(here.folder))
    with Processes(1) as workers:
        workers.submit(call.run, call.of_function(loaded, "json"), lambda *_: None).result()
        found = status.workers(here), status.workers(elsewhere)

    assert [len(each) for each in found] == [1, 0]
    assert 30e6 < found[0][0] < 300e6
