"""What `w2v status` says of the engine."""

from pathlib import Path

import pytest

from flows.access.network import MLFLOW_PASSWORD
from flows.service import status
from flows.service.state import MARK, Place, State
from tasks.comparison import kept
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


def test_the_page_of_nights_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a file while nothing is up; else on the service's server, or on the one that has the run."""
    kept.keep(tmp_path, "re views", "<p>", "#/experiments/1")
    (page,) = status.look(tmp_path).nights
    status.show(status.look(tmp_path))
    place = Place(tmp_path)
    state = State("http://127.0.0.1:4200", "http://127.0.0.1:5000", 1, 0.0, [MLFLOW_PASSWORD])
    there = page.model_copy(update={"page": "http://elsewhere/#/experiments/1"})
    ours = page.model_copy(update={"page": "#/experiments/1"})

    assert (page.model, page.page, Path(page.file).read_text()) == ("re views", "", "<p>")
    assert f"nights    re views  {page.file}" in capsys.readouterr().out
    assert status._served(place, state, ours).page == "http://127.0.0.1:5000/#/experiments/1"
    assert status._served(place, state, there).page == "http://elsewhere/#/experiments/1"
