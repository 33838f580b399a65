"""Old MLflow runs are deleted, and nothing of them is left after the trash is purged."""

import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from configs.schema import Config, Ingestion, Retention, Runtime
from tasks.maintenance import expiry
from tasks.maintenance.expiry import Past
from tasks.maintenance.garbage import DAY
from tasks.tracking import address, registry
from tasks.tracking.registry import Decision
from tests.support.runs import finish_run, start_run

NONE_KEPT = Retention(runs_last=0, runs_days=0, trash_days=0)


def past(name: str, *, days: float = 100, why: str = "", parent: str = "") -> Past:
    """Return a run that began and ended `days` ago."""
    at = time.time() - days * DAY
    return Past(name, name, "FINISHED", at, at, why, parent, "", "")


def test_policy() -> None:
    """The last N runs, those younger than D days, and those with a reason of their own are kept."""
    runs = [past("new", days=1), past("second", days=8), past("old"), past("champion", why="its model has an alias")]

    assert set(expiry.kept(runs, NONE_KEPT)) == {"champion"}
    assert set(expiry.kept(runs, Retention(runs_last=1, runs_days=0))) == {"champion", "new"}
    assert set(expiry.kept(runs, Retention(runs_last=0, runs_days=9))) == {"champion", "new", "second"}


def test_families_stay_together() -> None:
    """With a candidate its sweep and the other candidates are kept; another family is deleted."""
    runs = [past("sweep"), past("a", parent="sweep"), past("b", parent="sweep", why="pinned")]
    runs += [past("seeds"), past("c", parent="seeds"), past("orphan", parent="gone long ago")]

    assert set(expiry.kept(runs, NONE_KEPT)) == {"sweep", "a", "b"}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(name="vectors", ingestion=Ingestion(source="text.txt"), runtime=Runtime(workspace=str(tmp_path)))


def published(config: Config, name: str) -> str:
    """Return a finished run with a model and a version of it."""
    run_id, client = start_run(config, name, name), MlflowClient(address.uri(config))
    run = client.get_run(run_id)
    model = client.create_logged_model(run.info.experiment_id, "word-vectors", source_run_id=run_id)
    folder = Path(config.runtime.workspace) / "files"
    folder.mkdir(exist_ok=True)
    (folder / "vectors.npy").write_bytes(b"0" * 1_000)
    client.log_model_artifacts(model.model_id, str(folder))
    client.create_model_version("vectors", model.artifact_location, run_id, model_id=model.model_id)
    finish_run(config, name, "FINISHED")
    return run_id


def test_what_goes_goes_wholly(config: Config) -> None:
    """Runs go to the trash, then row and files are deleted; champions, pinned and open runs stay whole."""
    uri = address.uri(config)
    at_work = start_run(config, "at work")
    client = MlflowClient(uri)
    client.create_registered_model("vectors")
    runs = {name: published(config, name) for name in ("old", "before", "champion", "pinned")}
    client.set_tag(runs["pinned"], "keep", "for the paper")
    client.set_registered_model_alias("vectors", "champion", "2")
    decision = Decision(
        version="3", run_id=runs["champion"], verdict="promoted", against="2", why="better", who="w", when="now"
    )
    registry.settle(registry.model(uri, "vectors"), decision)
    foreign = client.create_run("1").info.run_id
    files = Path(config.runtime.workspace) / "mlartifacts"

    known = expiry.runs(uri, config.tracking.experiment, "vectors")
    kept = expiry.kept(known, NONE_KEPT)
    going = [run for run in known if run.id not in kept]
    assert [run.id for run in going] == [runs["old"]]
    assert kept[at_work] == "RUNNING"
    assert foreign not in {run.id for run in known}

    (listed,) = expiry.remove(uri, going, dry_run=True)
    assert listed.bytes > 1_000
    assert client.get_run(runs["old"]).info.lifecycle_stage == "active"
    assert expiry.remove(uri, going, dry_run=False) == [listed]
    assert [each.version for each in client.search_model_versions("name = 'vectors'")] == [4, 3, 2]
    assert len(list(files.glob("models/*"))) == 4

    assert "1 runs purged" in expiry.purge(uri, 0)
    left = client.search_runs(["1"], run_view_type=ViewType.ALL)
    assert {run.info.run_id for run in left} == {at_work, foreign, *runs.values()} - {runs["old"]}
    assert len(list(files.glob("models/*/artifacts/vectors.npy"))) == 3
    assert not list(files.glob(f"{runs['old']}/**/*"))


def test_a_server_keeps_its_own_trash(monkeypatch: pytest.MonkeyPatch) -> None:
    """The purge works in the database, which must be named."""
    monkeypatch.delenv(expiry.DATABASE, raising=False)

    assert "MLFLOW_BACKEND_STORE_URI" in expiry.purge("http://someone:secret@127.0.0.1:9", 7)
    assert "secret" not in expiry.purge("http://someone:secret@127.0.0.1:9", 7)
