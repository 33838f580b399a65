"""Servers that stop and start again during a retraining: real ones."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from flows import outbox, retention
from tasks.errors import TrackingError
from tasks.tracking.run import legible
from tests.support import servers
from tests.support.servers import Server

W2V = Path(sys.executable).parent / "w2v"
CURVES = {
    "loss/training": "loss",
    "loss/held_out": "held_out_loss",
    "training/learning_rate": "learning_rate",
}
# small batches, so that the training lasts; checkpoints and points of the curve often
SETTINGS = [
    "ingestion.text_documents=line", "vocabulary.min_count=1", "vocabulary.subsample=0",
    "training.vector_size=8", "training.damping=0.5", "training.batch_size=1", "training.epochs=4",
    "runtime.threads=2", "runtime.checkpoint_interval=0.2", "runtime.log_interval=0.1", "tracking.patience=1",
]  # fmt: skip


class Site(NamedTuple):
    """The servers, and their workspace."""

    mlflow: Server
    prefect: Server
    workspace: Path
    corpus: Path
    started: "list[subprocess.Popen[str]]"

    def w2v(self, *words: str, settings: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        chosen = {each.partition("=")[0]: each for each in (*SETTINGS, *settings)}  # a key once
        named = [f"ingestion.source={self.corpus}", f"runtime.workspace={self.workspace}", *chosen.values()]
        changes = [word for each in named for word in ("--set", each)] if words[0] == "retrain" else []
        work = subprocess.Popen(
            [W2V, *words, *changes], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "PREFECT_API_URL": f"{self.prefect.address}/api",
                "MLFLOW_TRACKING_URI": self.mlflow.address,
            },
        )  # fmt: skip
        self.started.append(work)
        return work

    def prefect_says(self, of: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.prefect.address}/api/{of}").json()
        return found

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.mlflow.address)

    def points(self) -> int:
        """Return the number of curve points in the newest checkpoint of a running training."""
        for state in sorted(self.workspace.glob("store/training/*/checkpoints/*/state.json"), reverse=True):
            try:
                return len(json.loads(state.read_text())["curve"]["rows"])
            except FileNotFoundError:  # dropped for a newer one
                continue
        return 0


def until(found: Callable[[], Any], work: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 600
    while not found():
        assert work.poll() is None, work.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(work: "subprocess.Popen[str]") -> tuple[int, str]:
    said, _ = work.communicate(timeout=900)
    return work.returncode, said


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Iterator[Site]:
    """MLflow keeps its files on S3, and only MLflow has the keys."""
    folder = tmp_path_factory.mktemp("site")
    with servers.s3(folder) as keys:
        files = ["--artifacts-destination", f"s3://{servers.BUCKET}/mlflow"]
        mlflow = servers.mlflow(folder, f"sqlite:///{folder}/mlflow.db", *files, **keys)
        prefect = servers.prefect(folder)
        with servers.running(mlflow, prefect):
            site = Site(mlflow, prefect, folder / "ws", corpus, [])
            yield site
            for work in site.started:
                work.kill()
                work.communicate()


@pytest.mark.long
def test_both_servers_restart_in_the_middle_of_the_training(site: Site) -> None:
    """The training continues; in the end MLflow has each point of the curve once, and Prefect the complete record."""
    work = site.w2v("retrain")
    until(site.points, work)
    site.mlflow.stop()
    site.prefect.stop()
    gone = site.points()
    until(lambda: site.points() > gone + 20, work)
    work.send_signal(signal.SIGSTOP)  # servers take long to start, and the training is short
    for server in (site.mlflow, site.prefect):
        server.start()
    for server in (site.mlflow, site.prefect):
        server.ready()
    (run,) = site.client.search_runs(["1"])
    before = len(site.client.get_metric_history(run.info.run_id, "training/learning_rate"))
    buffered = site.points()
    work.send_signal(signal.SIGCONT)
    code, said = ended(work)

    assert code == 0, said
    assert before < buffered
    # once, if MLflow was asked before it was back
    assert said.count("Training goes on. Its curve is kept") == said.count("MLflow answers again, and has") <= 1
    (run,) = site.client.search_runs(["1"])
    assert run.info.status == "FINISHED"
    assert site.prefect_says(f"flow_runs/{run.data.tags['prefect.flow_run_id']}")["state_type"] == "COMPLETED"
    assert site.prefect_says("artifacts/training-progress/latest")["data"] == 100
    (file,) = site.workspace.glob("store/training/*/curve.parquet")
    curve = pq.read_table(file).to_pylist()
    for metric, column in CURVES.items():
        history = sorted(site.client.get_metric_history(run.info.run_id, metric), key=lambda point: point.timestamp)
        assert [(point.step, point.value) for point in history] == [
            (row["words"], legible(row[column])) for row in curve if row[column] is not None
        ]


class Gone(NamedTuple):
    """What was started while MLflow could not be reached, and how it ended."""

    interrupted: tuple[int, str]  # seed 2, whose MLflow went away in the middle of the training
    without: tuple[int, str]  # seed 3, which does not need it


@pytest.fixture(scope="module")
def gone(site: Site) -> Gone:
    """Stop MLflow, and start it again when both commands have ended."""
    work = site.w2v("retrain", settings=("seed=2",))
    until(lambda: len(list(site.workspace.glob("store/training/*/checkpoints/*/state.json"))) > 0, work)
    site.mlflow.stop()
    other = site.w2v("retrain", settings=("seed=3", "training.epochs=1", "tracking.required=false"))
    done = Gone(ended(work), ended(other))
    site.mlflow.start()
    site.mlflow.ready()
    return done


def test_a_run_that_cannot_be_published_fails_and_goes_on(site: Site, gone: Gone) -> None:
    """After tracking.patience the error says that all is kept; the same command finishes the run without training
    again.
    """
    code, said = gone.interrupted
    (run,) = [run for run in site.client.search_runs(["1"]) if run.data.params["seed"] == "2"]

    assert code == 1
    assert "All work is kept: waiting up to 1 s" in said
    assert said.splitlines()[-3] == f"error: MLflow at {site.mlflow.address} does not answer"
    assert run.info.status == "RUNNING"

    code, said = ended(site.w2v("retrain", settings=("seed=2",)))
    assert code == 0, said
    assert "= training" in said
    (again,) = [run for run in site.client.search_runs(["1"]) if run.data.params["seed"] == "2"]
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")


def test_a_run_that_does_not_need_mlflow_is_uploaded_later(
    site: Site, gone: Gone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result is kept, also by `w2v gc`; `w2v sync` makes its complete run, once, and decides about it."""
    code, said = gone.without
    assert code == 0, said
    assert "`w2v sync --workspace" in said

    with pytest.raises(TrackingError, match="belongs to another MLflow"):
        outbox.sync(site.workspace)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", site.mlflow.address)
    retention.collect(site.workspace, 0, 0, dry_run=False)
    (run_id,) = outbox.sync(site.workspace)
    run = site.client.get_run(run_id)
    assert (run.info.status, run.data.params["seed"]) == ("FINISHED", "3")
    assert {"loss/training", "loss/held_out", "vectors/mean_cosine"} <= set(run.data.metrics)
    assert {"model.version", "promotion", "result.key"} <= set(run.data.tags)
    assert outbox.sync(site.workspace) == []
    assert not list(site.workspace.glob("waiting/*.json"))


def test_the_key_of_s3_is_nowhere(site: Site, gone: Gone) -> None:
    """MLflow's files are uploaded through its server; the key is in no file of workspace or servers."""
    (run, *_) = site.client.search_runs(["1"])
    files = [path for path in site.workspace.parent.rglob("*") if path.is_file()]

    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    assert not list(site.workspace.parent.rglob("vectors.npy"))
    assert not [path for path in files if servers.SECRET.encode() in path.read_bytes()]
