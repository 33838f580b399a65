"""Find and close orphaned runs: open in MLflow or Prefect although their process is gone.

A process of this host is looked up; a run of another host must have a heartbeat (heartbeat.py). A run that seems silent
is checked a second time, and is orphaned only if it had no heartbeat in between, so a wrong clock or an unreachable
server orphans nothing. A flow run is alive as long as its MLflow run is. Without one, Prefect's own heartbeats and the
time since its last state change decide.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasks.orchestration.flow_runs import FlowRuns
from tasks.tracking import heartbeat, lookup
from tasks.tracking.client import reached
from tasks.tracking.names import COMMAND, FLOW_RUN, HOST, PID
from tasks.tracking.ownership import abandoned, close, lock_of_starts, silent

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun
    from prefect.client.schemas.objects import FlowRun


class Lost(NamedTuple):
    """A run that was closed, with the reason."""

    name: str
    run_id: str  # MLflow's id; empty for a flow run without an MLflow run
    flow_run: str  # Prefect's id, or ""
    why: str
    command: str  # the command that resumes it, or ""


def close_lost(uri: str, workspace: Path, limit: float) -> list[Lost]:
    """Kill every RUNNING run whose owner is dead, in all experiments. Runs without an owner tag are ignored."""
    with reached(uri) as client, lock_of_starts(workspace):
        gone = list(_gone(client, limit))
        for record, _ in gone:
            close(client, record, "KILLED")
    return [_lost(record, why) for record, why in gone]


def close_lost_flow_runs(flow_runs: FlowRuns, uri: str, lost: list[Lost], limit: float) -> list[Lost]:
    """End the flow runs of closed runs, and open flow runs without a sign of life; return the latter."""
    with reached(uri) as client:
        alive = {record.data.tags[FLOW_RUN] for record in _running(client) if FLOW_RUN in record.data.tags}
    why = {each.flow_run: each.why for each in lost}
    found = []
    for flow_run in flow_runs.open():
        flow_run_id = str(flow_run.id)
        if flow_run_id in why:
            flow_runs.end(flow_run, why[flow_run_id])
        elif flow_run_id not in alive and (said := _shows_no_life(flow_runs, flow_run, limit)):
            flow_runs.end(flow_run, said)
            found.append(Lost(flow_run.name, "", flow_run_id, said, ""))
    return found


def _gone(client: "MlflowClient", limit: float) -> "Iterator[tuple[MlflowRun, str]]":
    """Yield the orphaned runs, each with the reason."""
    running = _running(client)
    for record in running:
        if abandoned(record):
            yield record, f"its process {record.data.tags[PID]} of host {record.data.tags[HOST]} is gone"
    if quiet := [record for record in running if silent(record, limit)]:
        time.sleep(limit * heartbeat.PATIENCE)
    for before in quiet:
        record = client.get_run(before.info.run_id)
        if silent(record, limit) and heartbeat.last(record) == heartbeat.last(before):
            yield (
                record,
                f"host {record.data.tags[HOST]} has sent no heartbeat for {heartbeat.age(record) / 60:.0f} minutes",
            )


def _running(client: "MlflowClient") -> "list[MlflowRun]":
    """Return the RUNNING runs that name an owner."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    found = lookup.every(client, experiments, "attributes.status = 'RUNNING'")
    return [record for record in found if HOST in record.data.tags]


def _lost(record: "MlflowRun", why: str) -> Lost:
    tags = record.data.tags
    return Lost(record.info.run_name, record.info.run_id, tags.get(FLOW_RUN, ""), why, tags.get(COMMAND, ""))


def _shows_no_life(flow_runs: FlowRuns, flow_run: "FlowRun", limit: float) -> str:
    """Return why a flow run counts as orphaned, or "". A recent state change counts as a sign of life."""
    assert flow_run.state
    limit = max(limit, flow_runs.patience)
    if (since := _age(flow_run.state.timestamp)) < limit:
        return ""
    beaten = flow_runs.last_beat(flow_run)
    if beaten and _age(beaten) < limit:
        return ""
    heard = f"its last heartbeat was {_age(beaten) / 60:.0f} minutes ago" if beaten else "it has no heartbeat"
    return f"{flow_run.state.name} for {since / 60:.0f} minutes, and {heard}"


def _age(when: datetime) -> float:
    return (datetime.now(UTC) - when).total_seconds()
