"""SIGKILL at any instant: the next start continues, and in the end nothing tells that there was one."""

import os
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

PROJECT = Path(__file__).parent.parent.parent
W2V = Path(sys.executable).parent / "w2v"
DIED = -signal.SIGKILL
# small batches, so that the training lasts; checkpoints and points of the curve often
SETTINGS = [
    "vocabulary.min_count=1", "vocabulary.subsample=0", "windows.shard_rows=1000",
    "training.vector_size=8", "training.damping=0.5", "training.batch_size=4", "training.epochs=3",
    "runtime.threads=2", "runtime.checkpoint_interval=0.2", "runtime.log_interval=0.1",
]  # fmt: skip


class Undisturbed(NamedTuple):
    seconds: float
    changes: int  # to the files of the workspace
    state: dict[str, Any]


class Killing:
    """One workspace, in which a retraining is started and killed, started and killed."""

    def __init__(self, folder: Path, corpus: Path) -> None:
        self.workspace, self._log, self._temporary = folder / "ws", folder / "log", folder / "tmp"
        self._temporary.mkdir(parents=True)
        source = [f"ingestion.source={corpus}", "ingestion.text_documents=line", f"runtime.workspace={self.workspace}"]
        self._settings = [*source, *SETTINGS]

    def run(self, *, change: int = 0, after: float | None = None, flow: bool = False) -> int:
        """Start it, kill it before that change or so many seconds after it began to work; its exit code."""
        driver = [sys.executable, "-m", "tests.retraining", str(change), *self._settings]
        command = [W2V, "retrain", *(word for each in self._settings for word in ("--set", each))]
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                command if flow else driver,
                cwd=PROJECT, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "TMPDIR": str(self._temporary)},
            )  # fmt: skip
        try:
            if after is not None:
                while process.poll() is None and not self.log:
                    time.sleep(0.01)
                process.wait(after)
            return process.wait(300)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def stage(self) -> str:
        """What was at work when the last line was written."""
        lines = [line.split() for line in self.log.splitlines() if line.startswith(("✓", "="))]
        done = lines[-1][1] if lines else "start"
        return f"after {done.partition('-')[0]}"

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
    quiet = Killing(tmp_path_factory.mktemp("undisturbed"), corpus)
    started = time.monotonic()
    assert quiet.run() == 0, quiet.log
    seconds = time.monotonic() - started
    state = quiet.state()
    assert all(len(set(steps)) == len(steps) for steps in state["points"].values())
    assert not state["leftovers"]
    return Undisturbed(seconds, int(quiet.log.splitlines()[-1]), state)


def kill_often(
    folder: Path, corpus: Path, undisturbed: Undisturbed, kills: int, at_once: int, flows: int = 0
) -> Counter[str]:
    """Kill `kills` times, half at random times and half at random changes to files; after every `at_once` kills let it
    finish, and look. Every `flows`-th start is a real `w2v retrain`.
    """
    rng = np.random.default_rng(kills)
    where: Counter[str] = Counter()
    starts = 0
    for number in range(-(-kills // at_once)):
        killing = Killing(folder / str(number), corpus)
        wanted = sum(where.values()) + at_once
        while sum(where.values()) < min(wanted, kills):
            starts += 1
            flow = bool(flows and starts % flows == 0)
            if flow or rng.random() < 0.5:
                code = killing.run(after=rng.uniform(0, undisturbed.seconds), flow=flow)
            else:
                code = killing.run(change=int(rng.integers(1, undisturbed.changes)))
            assert code in (0, DIED), killing.log
            where[killing.stage] += code == DIED
            print(f"workspace {number}: {'flow' if flow else 'driver'} ended {code}, {killing.stage}", flush=True)
            if code == 0:
                break
        assert killing.run() == 0, killing.log

        assert killing.state() == undisturbed.state
    return where


def test_killed_at_a_few_instants(tmp_path: Path, corpus: Path, undisturbed: Undisturbed) -> None:
    """The same vectors, scores, curves, files and one model as without the kills, and nothing else."""
    kill_often(tmp_path, corpus, undisturbed, kills=4, at_once=4)


@pytest.mark.long
@pytest.mark.usefixtures("prefect_server")
def test_killed_at_a_hundred_instants(tmp_path: Path, corpus: Path, undisturbed: Undisturbed) -> None:
    """The same, over all stages, also of the real flow."""
    where = kill_often(tmp_path, corpus, undisturbed, kills=100, at_once=5, flows=5)
    print(dict(where))

    assert sum(where.values()) == 100
    assert len(where) >= 5
