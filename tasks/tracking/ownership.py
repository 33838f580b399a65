"""Ownership of runs: which process works on a run, how an unfinished run is closed, and which one is resumed.

A run's recipe is a digest of everything that its result is made of: data, config and code. A start resumes the newest
run of its own recipe that was interrupted or has failed, so that one result has one run. Another recipe is another run
with other keys in the store: it never finds this one's checkpoints.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.engine import environment
from tasks.engine.environment import Owner
from tasks.engine.file_lock import Held
from tasks.errors import TrackingError
from tasks.tracking import heartbeat
from tasks.tracking.names import BEAT, CLAIM, COMMAND, CONTINUE, HOST, PID, STARTED

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

CLOSED = {"KILLED", "FAILED"}


def owner_tags() -> dict[str, str]:
    """Return the tags that name this process as the owner of a run."""
    owner = environment.owner()
    return {
        HOST: owner.host,
        PID: str(owner.pid),
        STARTED: str(owner.started),
        COMMAND: environment.command(),
        BEAT: heartbeat.now(),
    }


def lock_of_starts(workspace: Path) -> Held:
    """Return the lock under which a start takes a run: a simultaneous start in the workspace finds it RUNNING."""
    workspace.mkdir(parents=True, exist_ok=True)
    return Held(workspace / "runs.lock")


def close(client: "MlflowClient", record: "MlflowRun", status: str) -> None:
    """End the run with this status. KILLED and FAILED runs get a tag that says how to resume; a claim is deleted."""
    heartbeat.stop(record.info.run_id)
    if CLAIM in record.data.tags:
        client.delete_run(record.info.run_id)
        return
    if status in CLOSED:
        command = record.data.tags.get(COMMAND, "w2v retrain")
        way = f"`{command}` resumes this run where it stopped, as long as config, data and code are the same."
        client.set_tag(record.info.run_id, CONTINUE, way)
    client.set_terminated(record.info.run_id, status)


def reopen(client: "MlflowClient", record: "MlflowRun") -> None:
    """Set the run to RUNNING again."""
    if CONTINUE in record.data.tags:
        client.delete_tag(record.info.run_id, CONTINUE)
    client.update_run(record.info.run_id, status="RUNNING")


def abandoned(record: "MlflowRun") -> bool:
    """Return True if the run is RUNNING but its owner, a process of this host, is dead."""
    tags = record.data.tags
    if record.info.status != "RUNNING" or tags.get(HOST) != environment.owner().host:
        return False
    return not Owner(tags[HOST], int(tags[PID]), float(tags[STARTED])).alive


def silent(record: "MlflowRun", limit: float) -> bool:
    """Return True if the run is RUNNING on another host and its last heartbeat is more than `limit` seconds old."""
    host = record.data.tags.get(HOST, "")
    return bool(host) and elsewhere(record.info.status, host) and heartbeat.age(record) > limit


def elsewhere(status: str, host: str) -> bool:
    """Return True if a run with this status and owner is RUNNING on another host, whose processes we cannot see."""
    return status == "RUNNING" and host != environment.owner().host


def check_closable(record: "MlflowRun") -> None:
    """Raise TrackingError if the run has ended, or if its owner is a live process of this host."""
    host = record.data.tags.get(HOST, "a host it does not name")
    if record.info.status != "RUNNING":
        raise TrackingError(f"run {record.info.run_id} is not open: it is {record.info.status}.")
    if host == environment.owner().host and not abandoned(record):
        pid = record.data.tags[PID]
        raise TrackingError(f"run {record.info.run_id} is at work on this host, as process {pid}.\nEnd it first.")
