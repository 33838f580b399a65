"""A retraining as `flows.retrain` does it, without Prefect's server: a process that starts quickly and may be killed.

python -m tests.retraining SECTION.KEY=VALUE …
"""

import os
import signal
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

from configs.loading import load
from flows.pipeline import pipeline
from flows.plan import already_done, plan, recipe
from flows.surroundings import quiet
from flows.vectors import make_latest
from tasks import _tracking
from tasks._stage import Context
from tasks.publication import publish

CHANGES = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"}  # audit events


def retrain(settings: list[str]) -> None:
    config = load(None, settings)
    if already_done(config, plan(config)):
        return
    flow_run_id = str(uuid4())
    run_id = _tracking.start(config, flow_run_id, recipe=recipe(config))
    context = Context(runtime=config.runtime, tracking_uri=_tracking.uri(config), run_id=run_id)
    outputs = pipeline(config, lambda stage, **arguments: stage.compute(context=context, **arguments))
    publish.fn(config=config, **outputs.trained._asdict(), evaluation=outputs.evaluation, context=context)
    make_latest(Path(config.runtime.workspace), outputs.trained.vectors)
    _tracking.finish_flow_run(config, flow_run_id, "FINISHED")


def attempt(settings: list[str], folder: Path, log: Path, last: int) -> None:
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
    retrain(settings)
    print(changes.number, flush=True)


class Changes:
    """Counts what Python does to the files below a folder; Parquet and SQLite are written by others, in between."""

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
