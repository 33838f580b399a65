"""The heartbeat of a run: a tag with the time when its process was last alive, for other hosts.

A thread updates it from the start of a run until the run is closed. While MLflow cannot be reached, beats are missed;
the run loses nothing.
"""

import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.errors import TrackingError
from tasks.tracking.names import BEAT

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

    from tasks.tracking.run import Run

BEATS = 20  # in the time after which a run counts as lost
PATIENCE = 0.1  # share of that time, two beats: a run without heartbeat is looked at again after it

log = logging.getLogger("w2v")
_beating: dict[str, threading.Event] = {}  # the runs of this process, each with the event that stops its heartbeat


def now() -> str:
    """Return the time as the value of the tag: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def start(run: "Run", lost_after: float) -> None:
    """Start the run's heartbeat, until `stop` or until this process ends. Idempotent. `lost_after` is in seconds."""
    if run.id not in _beating:
        _beating[run.id] = threading.Event()
        beat = threading.Thread(target=_beat, args=(run, lost_after / BEATS, _beating[run.id]), daemon=True)
        beat.start()


def stop(run_id: str) -> None:
    """Stop the run's heartbeat, if this process has started it."""
    if run_id in _beating:
        _beating.pop(run_id).set()


def last(record: "MlflowRun") -> str:
    """Return the time of the last heartbeat; empty for a run of a version without heartbeats."""
    return str(record.data.tags.get(BEAT, ""))


def age(record: "MlflowRun") -> float:
    """Return the seconds since the last heartbeat, by our clock; since the run's start if there was none."""
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
                log.warning("could not record a heartbeat for run %s: %s", run.id, str(error).splitlines()[1])
            missed = True
