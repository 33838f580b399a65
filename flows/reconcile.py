"""`w2v reconcile`, by hand or on a schedule: close runs whose process is dead, and notify about each."""

import logging
from pathlib import Path

from prefect import flow

from configs.schema import Config
from flows.deployment import directory
from flows.hooks import failures
from tasks import notifications
from tasks.maintenance.orphans import Lost, close_lost, close_lost_flow_runs
from tasks.orchestration.flow_runs import FlowRuns, server
from tasks.tracking import address

directory.enter()  # for a worker, which runs this in a folder of its own
log = logging.getLogger("w2v")
log.setLevel(logging.INFO)  # Prefect shows this logger's records, but sets no level


@flow(name="reconcile", flow_run_name="close dead runs", on_failure=[failures.tell], on_crashed=[failures.tell])
def reconcile(config: Config) -> list[Lost]:
    """open in MLflow or Prefect → no process or no heartbeat → closed in both → notifications

    Args:
        config: The config whose MLflow, workspace and notifications are meant.
    """
    uri, limit = address.uri(config), config.runtime.lost_after
    lost = close_lost(uri, Path(config.runtime.workspace), limit)
    with server() as client:
        lost += close_lost_flow_runs(FlowRuns(client), uri, lost, limit)
        FlowRuns(client).name_queued()
    for each in lost:
        log.info("✗ %s: %s", each.name, each.why)
        notifications.tell(config.notify, notifications.of_lost(each, uri))
    return lost
