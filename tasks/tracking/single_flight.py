"""One result, one run: of several processes with the same recipe, one computes the result and the others wait for it.

A file lock (`ownership.lock_of_starts`) separates starts in one workspace. Starts from several workspaces share only
MLflow's server, which has no locks. There each creates a run as its claim and then looks for others: a process that
sees no other claim takes its turn, one that sees another withdraws. Of two claims, the later one always sees the
other.
"""

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tasks.engine import environment
from tasks.errors import PipelineError, TrackingError, Unreachable
from tasks.tracking import heartbeat
from tasks.tracking.client import reached
from tasks.tracking.names import CLAIM, HOST, PID, RECIPE, REPRODUCES, REPRODUCTION, RESULT
from tasks.tracking.ownership import CLOSED, abandoned, close, silent

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

PAUSE = 1.0  # seconds between two looks at another process's run

log = logging.getLogger("w2v")


class Turn(NamedTuple):
    """The run that a process may work on."""

    run_id: str
    finished: bool  # the run has the result already: there is nothing to log


class AtWork(PipelineError):
    """Another process is computing the same result."""

    def __init__(self, record: "MlflowRun") -> None:
        super().__init__(f"run {record.info.run_id} is computing the same result.\nWait until it ends.")
        self.record = record


@contextmanager
def turn(
    client: "MlflowClient", experiment: str, tags: dict[str, str], title: str, *, shared: bool
) -> "Iterator[MlflowRun]":
    """Yield the run of this recipe: one that has its result, else an unfinished one, else a new one.

    The block must set it to RUNNING; this process owns it from then on. `shared` says that other workspaces use the
    same MLflow. Raises AtWork if another process works on such a run.
    """
    claim = client.create_run(experiment, tags=tags | {CLAIM: "1"}, run_name=title) if shared else None
    taken = None
    try:
        runs = [run for run in _same(client, experiment, tags) if not claim or run.info.run_id != claim.info.run_id]
        for run in runs:
            if at_work(run):
                raise AtWork(run)
        found = _finished(runs) or _unfinished(runs)
        record = found or claim or client.create_run(experiment, tags=tags, run_name=title)
        yield record
        taken = record
    finally:
        if claim and claim is taken:
            client.delete_tag(claim.info.run_id, CLAIM)
        elif claim:
            client.delete_run(claim.info.run_id)


def at_work(record: "MlflowRun") -> bool:
    """Return True if another process works on the run, as far as we can see: one of another host counts as alive."""
    tags, owner = record.data.tags, environment.owner()
    if record.info.status != "RUNNING" or record.info.lifecycle_stage == "deleted" or HOST not in tags:
        return False
    ours = (tags[HOST], int(tags[PID])) == (owner.host, owner.pid)
    return not ours and not abandoned(record)


def wait(uri: str, record: "MlflowRun", lost_after: float, patience: float) -> None:
    """Wait until no process works on the run. Close it as KILLED if its owner is dead.

    An owner on another host is dead after `lost_after` seconds without a heartbeat. Raises Unreachable if MLflow does
    not answer for `patience` seconds.
    """
    tags, run_id = record.data.tags, record.info.run_id
    if CLAIM not in tags:
        text = "run %s is computing the same result, in process %s on host %s: waiting for it%s …"
        here = tags[HOST] == environment.owner().host
        silence = "" if here else f", or until {lost_after / 60:.0f} minutes have passed without a heartbeat"
        log.info(text, run_id, tags[PID], tags[HOST], silence)
    answered = beaten = time.monotonic()
    beat = heartbeat.last(record)
    while at_work(record):
        time.sleep(random.uniform(0.5, 1.5) * PAUSE)  # random, so that of two that withdrew one comes back first
        try:
            with reached(uri) as client:
                record = client.get_run(run_id)
                answered = time.monotonic()
                if heartbeat.last(record) != beat:
                    beat, beaten = heartbeat.last(record), answered
                quiet = answered - beaten > lost_after * heartbeat.PATIENCE and silent(record, lost_after)
                if abandoned(record) or quiet:
                    close(client, record, "KILLED")
                    return
        except Unreachable:
            if time.monotonic() - answered > patience:
                raise
        except TrackingError:  # the run was deleted permanently; any other error is raised again by the next start
            return


def _same(client: "MlflowClient", experiment: str, tags: dict[str, str]) -> "list[MlflowRun]":
    """Return the runs of the recipe, the newest first: the reproductions of the same original, or the originals."""
    runs = client.search_runs([experiment], f"tags.`{RECIPE}` = '{tags[RECIPE]}'")
    return [run for run in runs if run.data.tags.get(REPRODUCES) == tags.get(REPRODUCES)]


def _finished(runs: "list[MlflowRun]") -> "MlflowRun | None":
    """Return a run with the result; no reproduction, which is computed again every time."""
    return next((run for run in runs if holds_result(run) and REPRODUCES not in run.data.tags), None)


def holds_result(run: "MlflowRun") -> bool:
    """Return True if the run is FINISHED and complete."""
    return run.info.status == "FINISHED" and RESULT in run.data.tags


def _unfinished(runs: "list[MlflowRun]") -> "MlflowRun | None":
    """Return the newest run that was interrupted, has failed, or was left open by this process; None without one."""
    return next((run for run in runs if CLAIM not in run.data.tags and _resumable(run)), None)


def _resumable(run: "MlflowRun") -> bool:
    """Return True if a start may resume the run."""
    tags, status = run.data.tags, run.info.status
    unjudged = status == "FINISHED" and REPRODUCES in tags and REPRODUCTION not in tags
    return status in CLOSED or unjudged or (status == "RUNNING" and HOST in tags)
