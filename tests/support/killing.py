"""Work that is killed and started again repeatedly, and then compared with the same work without kills."""

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run

from tasks.datasets.verified import NOTE
from tasks.tracking import registry
from tasks.tracking.client import reached
from tasks.tracking.names import NIGHTS
from tests.support.retraining import attempt, prepare

FRESH = multiprocessing.get_context("forkserver")  # a new process each time, which need not import everything again
FRESH.set_forkserver_preload(["tests.support.killing"])
AT_ONCE = 5  # kills in one workspace
FLOW_SECONDS = 5.0  # that `w2v retrain` takes before its first stage
W2V = Path(sys.executable).parent / "w2v"
STAGES = ["ingestion", "tokenization", "vocabulary", "windows", "training", "evaluation"]
DIED = -signal.SIGKILL
PREPARED = {"reproduce", "sync", "promote"}  # what starts from something that is there
# small batches, so that the training lasts; checkpoints and points of the curve often
SETTINGS = [
    "vocabulary.min_count=1", "vocabulary.subsample=0", "windows.shard_rows=1000",
    "training.vector_size=8", "training.damping=0.5", "training.batch_size=4", "training.epochs=3",
    "training.keep_epochs=3",
    "runtime.threads=2", "runtime.checkpoint_interval=0.2", "runtime.log_interval=0.1",
    "promotion.automatic=false",  # which the attempts leave out, and only `w2v retrain` would do
]  # fmt: skip
NAMES = re.compile(r"(?<=^reproductions/)[0-9a-f]{32}|(?<=^sweeps/)[0-9a-f]{8}|(?<=^promotion/)[\dTZ.:-]+(?=\.)")


class Killing:
    """One workspace, in which some work is repeatedly started and killed."""

    def __init__(
        self, folder: Path, settings: list[str], begun: Path | None, work: str = "retrain", server: str = ""
    ) -> None:
        """Start from `begun`: MLflow's database, or the workspace as it was in this folder before the work."""
        shutil.rmtree(folder, ignore_errors=True)
        self.workspace, self._log, self._temporary = folder / "ws", folder / "log", folder / "tmp"
        self._temporary.mkdir(parents=True)
        self._log.touch()
        if begun and begun.is_dir():
            shutil.copytree(begun, self.workspace)
        elif begun:
            self.workspace.mkdir()
            shutil.copy(begun, self.workspace / "mlflow.db")
        self.settings = [*settings, f"runtime.workspace={self.workspace}"]
        self._work, self._server = work, server

    def attempt(self, *, change: int = 0, seconds: float = 600) -> int | None:
        """Kill the work before a given change to its files, or after some time; return its exit code."""
        arguments = (self._work, self.settings, self.workspace, self._log, change, self._server)
        process: ForkServerProcess = FRESH.Process(target=attempt, args=arguments)
        process.start()
        process.join(seconds)
        if process.is_alive():
            with suppress(ProcessLookupError):  # it has ended since, or has no group yet
                os.killpg(process.pid or 0, signal.SIGKILL)
            process.kill()
            process.join()
        return process.exitcode

    def retrain(self, seconds: float) -> int:
        """Kill a real `w2v retrain` with its Prefect server in the same way."""
        words = [word for each in self.settings for word in ("--set", each)]
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
        """Return the stage after which it was killed."""
        done = [stage for stage in STAGES if list(self.workspace.glob(f"store/{stage}/*/manifest.json"))]
        return f"after {done[-1]}" if done else "before ingestion"

    def state(self) -> dict[str, Any]:
        """Return all that must be the same, and all that must not be there."""
        with ProcessPoolExecutor(1, mp_context=FRESH) as pool:  # MLflow keeps a database open, also one that is gone
            found = pool.submit(state_of, self.workspace).result()
        found["leftovers"] += [path.name for path in self._temporary.rglob("*")]
        return found


def state_of(workspace: Path) -> dict[str, Any]:
    client = MlflowClient(f"sqlite:///{workspace}/mlflow.db")
    runs = {run.info.run_id: run_of(client, run) for run in client.search_runs(["1"])}
    store = sorted(named(path.relative_to(workspace)) for path in workspace.glob("**/store/**/*"))
    return {
        "runs": sorted(runs.values(), key=lambda run: (run["recipe"], run["reproduces"])),
        "models": sorted(model_of(workspace, each.name, runs) for each in client.search_registered_models()),
        "store": [path for path in store if not path.endswith((".lock", NOTE))],
        "files": sorted(named(path.relative_to(workspace)) for path in workspace.glob("sweeps/*")),
        "leftovers": [
            path.name for path in workspace.rglob("*") if "partial" in path.name and "nights" not in path.name
        ]
        + [path.name for path in workspace.glob("unpublished/*")]
        + [path.name for path in workspace.glob("waiting/*.json")]
        + [path.name for path in workspace.glob("tmp")],
    }


def run_of(client: MlflowClient, run: Run) -> dict[str, Any]:
    tags = run.data.tags
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    logged = client.search_logged_models(["1"], f"source_run_id = '{run.info.run_id}'")
    return {
        "recipe": tags["result.recipe"],
        "reproduces": "reproduces" in tags,
        "verdicts": [tags.get(name) for name in ("reproduction", "promotion")],
        "parent": "mlflow.parentRunId" in tags,
        "status": run.info.status,
        "continue": "how to continue" in tags,
        "vectors": tags.get("vectors.digest"),
        "result": tags.get("result.key"),
        "params": run.data.params,
        "points": {name: sorted(point.step for point in history) for name, history in histories.items()},
        "values": {
            name: [(point.step, point.value) for point in sorted(history, key=lambda point: point.step)]
            for name, history in histories.items()
            if not name.startswith("speed")
        },
        "models": sorted((model.name, model.status) for model in logged),
        "artifacts": artifacts(Path(run.info.artifact_uri)),
        "inputs": sorted(each.dataset.name for each in run.inputs.dataset_inputs),
    }


def model_of(workspace: Path, name: str, runs: dict[str, Any]) -> Any:
    """Return each version by its run, the aliases, and the decisions."""
    model = registry.model(f"sqlite:///{workspace}/mlflow.db", name)
    recipes = {number: runs[version.run_id]["recipe"] for number, version in model.versions.items()}
    decided = [(recipes[each.version], each.verdict, each.against) for each in model.history]
    return name, sorted(recipes.items()), sorted(model.aliases.items()), decided


def differences(found: Any, expected: Any, place: str = "") -> list[str]:
    """Return the differences between two states."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        return [line for key in found for line in differences(found[key], expected[key], f"{place}/{key}")]
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [line for number, pair in pairs for line in differences(*pair, f"{place}/{number}")]
    return [] if found == expected else [f"{place}: {found!r:.2000} instead of {expected!r:.2000}"]


def named(path: Path) -> str:
    """Return the text without names of runs and times, which always differ."""
    return NAMES.sub("…", str(path))


def artifacts(folder: Path) -> list[str]:
    """Return the files, without the page of nights, which the next night makes again."""
    return sorted(named(path.relative_to(folder)) for path in folder.rglob("*") if path.name != NIGHTS)


class Undisturbed(NamedTuple):
    """The result of a work that is not killed."""

    folder: Path
    settings: list[str]
    begun: Path  # see Killing
    work: str
    server: str  # Prefect's, where the work needs one
    seconds: float
    changes: int  # to the files of the workspace
    state: dict[str, Any]

    def killing(self, *, database: bool = True) -> Killing:
        return Killing(self.folder, self.settings, self.begun if database else None, self.work, self.server)


def undisturbed(folder: Path, corpus: Path, work: str = "retrain", server: str = "") -> Undisturbed:
    """Do the work once, from a prepared start."""
    begun, place = folder / "mlflow.db", folder / "killed"
    settings = [f"ingestion.source={corpus}", "ingestion.text_documents=line", *SETTINGS]
    if work != "retrain":  # what it is made of was killed often enough
        settings += ["training.batch_size=64", "training.epochs=2", "training.keep_epochs=1"]
    if work == "sync":  # decides as well
        settings.append("promotion.automatic=true")
    with reached(f"sqlite:///{begun}"):
        quiet = Killing(place, settings, begun, work, server)
    if work in PREPARED:
        process = FRESH.Process(target=prepare, args=(work, quiet.settings))
        process.start()
        process.join()
        assert process.exitcode == 0
        begun = folder / "begun"
        shutil.copytree(quiet.workspace, begun)
    assert quiet.attempt(change=1) == DIED, quiet.log  # by now the imports are done, once for all attempts
    started = time.monotonic()
    assert quiet.attempt() == 0, quiet.log
    seconds = time.monotonic() - started
    state = quiet.state()
    for run in state["runs"]:
        assert all(len(set(steps)) == len(steps) for steps in run["points"].values())
    assert not state["leftovers"]
    return Undisturbed(place, settings, begun, work, server, seconds, int(quiet.log.splitlines()[-1]), state)


def kill_often(undisturbed: Undisturbed, kills: int, flows: int = 0) -> Counter[str]:
    """Kill so often, half at random times and half before random changes to files; after each few, let it finish and
    look. Every `flows`-th start is a real `w2v retrain`. Returns where it was hit.
    """
    rng = np.random.default_rng(kills)
    where: Counter[str] = Counter()
    starts = 1
    while where.total() < kills:
        killing = undisturbed.killing(database=undisturbed.work in PREPARED or starts % 4 > 0)
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

        assert not (found := differences(killing.state(), undisturbed.state)), found
    return where
