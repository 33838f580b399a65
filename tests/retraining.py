"""A retraining as `flows.retrain` does it, without Prefect's server: a process that starts quickly and may be killed.

    python -m tests.retraining NUMBER SECTION.KEY=VALUE …

Where NUMBER is not 0, the process group is killed just before its NUMBERth change to the workspace's files. The last
line says how many changes there were.
"""

import os
import signal
import sys
from pathlib import Path
from uuid import uuid4

CHANGES = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"}  # audit events


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


def main(last: int, settings: list[str]) -> None:
    from configs.loading import load
    from flows.cli import quiet
    from flows.pipeline import pipeline
    from flows.plan import recipe
    from flows.retrain import already_done
    from tasks import _tracking
    from tasks._stage import Context
    from tasks._store import LATEST, write_whole
    from tasks.publication import publish

    quiet()
    config = load(None, settings)
    changes = Changes(Path(config.runtime.workspace), last)
    sys.addaudithook(changes)
    print("at work", flush=True)

    _tracking.close_abandoned(config)
    if not already_done(config):
        flow_run_id = str(uuid4())
        run_id = _tracking.start(config, flow_run_id, recipe=recipe(config))
        context = Context(runtime=config.runtime, tracking_uri=_tracking.uri(config), run_id=run_id)
        outputs = pipeline(config, lambda stage, **arguments: stage.compute(context=context, **arguments))
        publish.fn(config=config, **outputs.trained._asdict(), evaluation=outputs.evaluation, context=context)
        write_whole(Path(config.runtime.workspace) / LATEST, outputs.trained.vectors.model_dump_json().encode())
        _tracking.finish_flow_run(config, flow_run_id, "FINISHED")
    print(changes.number)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
