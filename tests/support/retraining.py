"""A retraining as `flows.retrain` does it, without Prefect's server, and other work that a test kills: a process that
starts quickly and may be killed.

python -m tests.support.retraining SECTION.KEY=VALUE …
"""

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from uuid import uuid4

from mlflow import MlflowClient
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from rich.console import Console

from configs.loading import load
from configs.schema import Config
from flows import backfill, outbox, reproduce, seeds, sweep
from flows.cli.output import promotion
from flows.planning.pipeline import Outputs, pipeline
from flows.planning.plan import already_done, plan, recipe
from flows.query.vectors import make_latest
from flows.servers.settings import quiet
from tasks.engine import scratch
from tasks.engine.stage import Context
from tasks.errors import InputError
from tasks.publication import publish
from tasks.tracking import address, names
from tasks.tracking.session import Tracker
from tests.support.runs import finish_run

CHANGES = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"}  # audit events


def retrain(settings: list[str]) -> None:
    config = load(None, settings)
    if already_done(config, Tracker(config), plan(config)):
        return
    flow_run_id = str(uuid4())
    run_id, made = Tracker(config).begin(config, flow_run_id, recipe=recipe(config))
    assert not made
    context = Context(runtime=config.runtime, tracking_uri=address.uri(config), run_id=run_id)
    outputs = _outputs(config, context)
    publish.fn(config=config, **outputs.trained._asdict(), evaluation=outputs.evaluation, context=context)
    make_latest(_workspace(config), outputs.trained.vectors)
    finish_run(config, flow_run_id, "FINISHED")


def _sweep(settings: list[str]) -> None:
    sweep.sweep(load(None, settings), ["training.learning_rate=0.02,0.05"], keep_one_in=2)


def _seeds(settings: list[str]) -> None:
    seeds.retrain_seeds(load(None, settings), 2)


def _backfill(settings: list[str]) -> None:
    config = load(None, settings)
    days = backfill.partitions(config, date(2026, 1, 1), date(2026, 1, 2), skip_missing=False)
    backfill.backfill(config, days, alone=False, serve=lambda: None)


def _reproduce(settings: list[str]) -> None:
    """Reproduce the run, unless that is done."""
    workspace = _workspace(load(None, settings))
    (run,) = [run for run in _runs(workspace) if names.REPRODUCES not in run.data.tags]
    with suppress(InputError):
        assert reproduce.reproduce(reproduce.find(run.info.run_id, workspace, [])).identical


def _sync(settings: list[str]) -> None:
    outbox.sync(_workspace(load(None, settings)))


def _promote(settings: list[str]) -> None:
    """Promote the second version, unless it is champion already."""
    with suppress(InputError):
        workspace = _workspace(load(None, settings))
        promotion.promote(Console(quiet=True), workspace, "", "2", accept_drift=False, because="a test")


WORK: dict[str, Callable[[list[str]], None]] = {
    "retrain": retrain, "sweep": _sweep, "seeds": _seeds, "backfill": _backfill,
    "reproduce": _reproduce, "sync": _sync, "promote": _promote,
}  # fmt: skip


def prepare(work: str, settings: list[str]) -> None:
    """Make what a work needs before it starts."""
    quiet()
    config = load(None, settings)
    if work in ("reproduce", "promote"):
        retrain(settings)
    if work == "promote":
        workspace = _workspace(config)
        promotion.promote(Console(quiet=True), workspace, "", "1", accept_drift=False, because="")
        retrain([*settings, "seed=2"])
    if work == "sync":
        outputs = _outputs(config, Context(runtime=config.runtime, run_id=recipe(config)))
        outbox.keep(config, Tracker(config), str(uuid4()), recipe(config), outputs)


def _outputs(config: Config, context: Context) -> Outputs:
    return pipeline(config, lambda stage, **arguments: stage.compute(context=context, **arguments))


def _workspace(config: Config) -> Path:
    return Path(config.runtime.workspace)


def _runs(workspace: Path) -> list[object]:
    return list(MlflowClient(f"sqlite:///{workspace}/mlflow.db").search_runs(["1"]))


def attempt(work: str, settings: list[str], folder: Path, log: Path, last: int, server: str) -> None:
    """In a process group of its own, which is killed just before its change number `last` to the files of the folder.

    The last line of the log says how many changes there were.
    """
    os.setsid()
    with log.open("wb") as lines:
        os.dup2(lines.fileno(), sys.stdout.fileno())
        os.dup2(lines.fileno(), sys.stderr.fileno())
    tempfile.tempdir = str(log.parent / "tmp")
    changes = Changes(folder, last)
    sys.addaudithook(changes)
    quiet()
    folder.mkdir(exist_ok=True)
    with (
        scratch.used(folder),
        temporary_settings({PREFECT_API_URL: server or None, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        WORK[work](settings)
    print(changes.number, flush=True)


class Changes:
    """Count Python's changes to files below a folder; Parquet and SQLite write their files by other means."""

    def __init__(self, folder: Path, last: int) -> None:
        self._folder, self._last = str(folder.absolute()), last
        self.number = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in CHANGES and str(arguments[0]).startswith(self._folder):
            self.number += 1
            if self.number == self._last:
                os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    quiet()
    retrain(sys.argv[1:])
