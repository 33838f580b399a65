"""The heart of a run: a tag that says when its process last lived, for whoever cannot see the process.

It beats from the start of a run until it is closed, in a thread of its own. While MLflow is away it misses beats, and
the run loses nothing.
"""

import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.errors import TrackingError

if TYPE_CHECKING:
    from mlflow.entities import Run as Record

    from tasks.tracking.run import Run

BEAT = "owner.beat"  # the tag
BEATS = 20  # in the time after which a run is given up
PATIENCE = 0.1  # of that time: whoever seems silent is looked at again so much later, two beats

log = logging.getLogger("w2v")
_beating: dict[str, threading.Event] = {}  # the runs of this process, each with what stops its heart


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def start(run: "Run", lost_after: float) -> None:
    """Have the run's heart beat until `stop`, or until this process ends."""
    if run.id not in _beating:
        _beating[run.id] = threading.Event()
        beat = threading.Thread(target=_beat, args=(run, lost_after / BEATS, _beating[run.id]), daemon=True)
        beat.start()


def stop(run_id: str) -> None:
    if run_id in _beating:
        _beating.pop(run_id).set()


def last(record: "Record") -> str:
    """When it last beat; empty for a run of a version without a heart."""
    return str(record.data.tags.get(BEAT, ""))


def age(record: "Record") -> float:
    """Seconds since the last beat, by our clock; since the start where there was none."""
    began = datetime.fromtimestamp(record.info.start_time / 1_000, UTC)
    beaten = datetime.fromisoformat(last(record)) if last(record) else began
    return (datetime.now(UTC) - beaten).total_seconds()


def _beat(run: "Run", seconds: float, stopped: threading.Event) -> None:
    missed = False
    while not stopped.wait(seconds):
        try:
            run.tag({BEAT: now()})
            missed = False
        except TrackingError as error:
            if not missed:
                log.warning("MLflow is not told that run %s lives: %s", run.id, str(error).splitlines()[1])
            missed = True
