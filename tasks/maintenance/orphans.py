"""Runs that stay open although nobody works on them any more, in MLflow and in Prefect: found, and closed.

A process of this host is looked for; one of another host has a heart (heartbeat.py). Who seems silent is looked at
again a little later, and is lost only if it has not beaten in between: so neither a clock that is wrong nor a server
that was away makes anybody lost. A flow run lives as long as its MLflow run does. Without one it is Prefect's own
heartbeats that tell, and the time since it came into its state.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasks.orchestration.flow_runs import FlowRuns
from tasks.tracking import heartbeat
from tasks.tracking.client import reached
from tasks.tracking.ownership import COMMAND, HOST, PID, abandoned, alone, close, silent
from tasks.tracking.session import FLOW_RUN

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as Record
    from prefect.client.schemas.objects import FlowRun


class Lost(NamedTuple):
    """What was closed, and why."""

    name: str
    run_id: str  # of MLflow; empty for a flow run that had none
    flow_run: str  # Prefect's id, or ""
    why: str
    command: str  # goes on with it, or ""


def close_lost(uri: str, workspace: Path, limit: float) -> list[Lost]:
    """MLflow's side: what is RUNNING without life is KILLED, in every experiment; who is nobody's is left alone."""
    with reached(uri) as client, alone(workspace):
        gone = list(_gone(client, limit))
        for record, _ in gone:
            close(client, record, "KILLED")
    return [_lost(record, why) for record, why in gone]


def close_lost_flow_runs(flow_runs: FlowRuns, uri: str, lost: list[Lost], limit: float) -> list[Lost]:
    """Prefect's side: the flow runs of what was lost, and those that show no life; the latter are returned."""
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


def _gone(client: "MlflowClient", limit: float) -> "Iterator[tuple[Record, str]]":
    """With the reason why."""
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
                f"host {record.data.tags[HOST]} has not been heard of for {heartbeat.age(record) / 60:.0f} minutes",
            )


def _running(client: "MlflowClient") -> "list[Record]":
    """Of ours: they name their owner."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(experiments, "attributes.status = 'RUNNING'") if experiments else []
    return [record for record in found if HOST in record.data.tags]


def _lost(record: "Record", why: str) -> Lost:
    tags = record.data.tags
    return Lost(record.info.run_name, record.info.run_id, tags.get(FLOW_RUN, ""), why, tags.get(COMMAND, ""))


def _shows_no_life(flow_runs: FlowRuns, flow_run: "FlowRun", limit: float) -> str:
    """Why it is taken for lost, or nothing. What has only just come into its state has not had time to beat."""
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
