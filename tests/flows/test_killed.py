"""SIGKILL at any instant: the next start continues, and in the end nothing tells that there was one."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mlflow import MlflowClient

from tasks._reach import reached
from tests.retraining import attempt

FRESH = multiprocessing.get_context("forkserver")  # a new process each time, which need not import everything again
FRESH.set_forkserver_preload(["tests.retraining"])
AT_ONCE = 5  # kills in one workspace
FLOW_SECONDS = 5.0  # that `w2v retrain` takes before its first stage
W2V = Path(sys.executable).parent / "w2v"
STAGES = ["ingestion", "tokenization", "vocabulary", "windows", "training", "evaluation"]
DIED = -signal.SIGKILL
# small batches, so that the training lasts; checkpoints and points of the curve often
SETTINGS = [
    "vocabulary.min_count=1", "vocabulary.subsample=0", "windows.shard_rows=1000",
    "training.vector_size=8", "training.damping=0.5", "training.batch_size=4", "training.epochs=3",
    "training.keep_epochs=3",
    "runtime.threads=2", "runtime.checkpoint_interval=0.2", "runtime.log_interval=0.1",
    "promotion.automatic=false",  # which the attempts leave out, and only `w2v retrain` would do
]  # fmt: skip


class Undisturbed(NamedTuple):
    database: Path  # MLflow's, empty: making it takes seconds
    seconds: float
    changes: int  # to the files of the workspace
    state: dict[str, Any]


class Killing:
    """One workspace, in which a retraining is started and killed, started and killed."""

    def __init__(self, folder: Path, corpus: Path, database: Path | None) -> None:
        self.workspace, self._log, self._temporary = folder / "ws", folder / "log", folder / "tmp"
        self._temporary.mkdir(parents=True)
        if database:
            self.workspace.mkdir()
            shutil.copy(database, self.workspace / "mlflow.db")
        source = [f"ingestion.source={corpus}", "ingestion.text_documents=line", f"runtime.workspace={self.workspace}"]
        self._settings = [*source, *SETTINGS]

    def attempt(self, *, change: int = 0, seconds: float = 300) -> int:
        """Kill it before that change to its files, or when it has lasted so long; its exit code."""
        process = FRESH.Process(target=attempt, args=(self._settings, self.workspace, self._log, change))
        process.start()
        process.join(seconds)
        if process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        return process.exitcode

    def retrain(self, seconds: float) -> int:
        """The same with `w2v retrain` and its Prefect server."""
        words = [word for each in self._settings for word in ("--set", each)]
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [W2V, "retrain", *words], stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "TMPDIR": str(self._temporary)},
            )  # fmt: skip
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def stage(self) -> str:
        """After which stage it was hit."""
        done = [stage for stage in STAGES if list(self.workspace.glob(f"store/{stage}/*/manifest.json"))]
        return f"after {done[-1]}" if done else "before ingestion"

    def state(self) -> dict[str, Any]:
        """All that must be the same, and all that must not be there."""
        client = MlflowClient(f"sqlite:///{self.workspace}/mlflow.db")
        runs = client.search_runs(["1"])
        (run,) = runs
        histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        points = {name: sorted(point.step for point in history) for name, history in histories.items()}
        values = {
            name: [(point.step, point.value) for point in sorted(history, key=lambda point: point.step)]
            for name, history in histories.items()
            if not name.startswith("speed")
        }
        store = sorted(path.relative_to(self.workspace) for path in self.workspace.glob("store/**/*"))
        return {
            "status": run.info.status,
            "continue": run.data.tags.get("how to continue"),
            "vectors": run.data.tags["vectors.digest"],
            "result": run.data.tags["result.key"],
            "params": run.data.params,
            "points": points,
            "values": values,
            "models": len(client.search_logged_models(["1"])),
            "versions": len(client.search_model_versions("name = 'vectors'")),
            "artifacts": artifacts(Path(run.info.artifact_uri)),
            "inputs": sorted(each.dataset.name for each in run.inputs.dataset_inputs),
            "store": [path for path in store if path.suffix != ".lock"],
            "leftovers": [path.name for path in self.workspace.rglob("*") if "partial" in path.name]
            + [path.name for path in self.workspace.glob("unpublished/*")]
            + [path.name for path in self._temporary.rglob("*")],
        }


def artifacts(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Undisturbed:
    """What a retraining comes to that nobody kills."""
    database = tmp_path_factory.mktemp("database") / "mlflow.db"
    with reached(f"sqlite:///{database}"):
        quiet = Killing(tmp_path_factory.mktemp("undisturbed"), corpus, database)
    assert quiet.attempt(change=1) == DIED  # by now the imports are done, once for all attempts
    started = time.monotonic()
    assert quiet.attempt() == 0, quiet.log
    seconds = time.monotonic() - started
    state = quiet.state()
    assert all(len(set(steps)) == len(steps) for steps in state["points"].values())
    assert not state["leftovers"]
    return Undisturbed(database, seconds, int(quiet.log.splitlines()[-1]), state)


def kill_often(folder: Path, corpus: Path, undisturbed: Undisturbed, kills: int, flows: int = 0) -> Counter[str]:
    """Kill so often, half at random times and half before random changes to files; after each few, let it finish and
    look. Every `flows`-th start is a real `w2v retrain`. Returns where it was hit.
    """
    rng = np.random.default_rng(kills)
    where: Counter[str] = Counter()
    starts = 1
    while where.total() < kills:
        made = undisturbed.database if starts % 4 else None
        killing = Killing(folder / str(starts), corpus, made)
        for number in range(min(AT_ONCE, kills - where.total())):
            starts += 1
            if flows and starts % flows == 0:
                code = killing.retrain(FLOW_SECONDS + rng.uniform(0, undisturbed.seconds))
            elif number % 2:
                code = killing.attempt(seconds=rng.uniform(0, undisturbed.seconds))
            else:  # the first stages change files for milliseconds: hit them as often as the long ones
                code = killing.attempt(change=int(undisturbed.changes ** rng.random()))
            assert code in (0, DIED), killing.log
            where[killing.stage] += code == DIED
            print(f"{where.total()} kills, {killing.stage}", flush=True)
            if code == 0:
                break
        assert killing.attempt() == 0, killing.log

        assert killing.state() == undisturbed.state
    return where


def test_killed_at_a_few_instants(tmp_path: Path, corpus: Path, undisturbed: Undisturbed) -> None:
    """The same vectors, scores, curves, files and one model as without the kills, and nothing else."""
    kill_often(tmp_path, corpus, undisturbed, kills=3)


@pytest.mark.long
@pytest.mark.usefixtures("prefect_server")
def test_killed_at_a_hundred_instants(tmp_path: Path, corpus: Path, undisturbed: Undisturbed) -> None:
    """The same, over all stages, also of the real flow."""
    where = kill_often(tmp_path, corpus, undisturbed, kills=100, flows=8)
    print(dict(where))

    assert where.total() == 100
    assert len(where) >= 5
