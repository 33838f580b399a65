"""`w2v retain`: delete what `[retention]` does not keep, in MLflow, in Prefect and in the store."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from prefect import flow

from configs.schema import Config
from flows import retention
from flows.deployment import directory
from flows.hooks import failures
from tasks.display.terminal import visible
from tasks.engine.outputs.readiness import address_of
from tasks.maintenance import expiry
from tasks.maintenance.expiry import Past, Removed
from tasks.maintenance.garbage import Collected, Policy
from tasks.orchestration.flow_runs import FlowRuns, server
from tasks.tracking import address

directory.enter()  # for a worker, which runs this in a folder of its own
log = logging.getLogger("w2v")
log.setLevel(logging.INFO)  # Prefect shows this logger's records, but sets no level


class Retained(NamedTuple):
    """What was deleted, or with `dry_run` would be."""

    runs: list[Removed]
    kept: dict[str, str]  # the id of each kept MLflow run, with the reason
    trash: str  # what was purged from MLflow's trash, in words
    flow_runs: list[str]  # the names of Prefect's flow runs
    collected: list[Collected]  # of the store, and of the remote if there is one


@flow(
    name="retain",
    flow_run_name="delete old runs and outputs",
    on_failure=[failures.tell],
    on_crashed=[failures.tell],
)
def retain(config: Config, dry_run: bool = False) -> Retained:
    """old MLflow runs → MLflow's trash → purged; old flow runs → deleted; stage outputs of no kept run → deleted

    Args:
        config: The config: its section `retention` says what is kept.
        dry_run: Only list what would be deleted.
    """
    done = delete(config, dry_run=dry_run)
    for line in lines(config, done, dry_run):  # on Prefect's page
        log.info(line)
    return done


def delete(config: Config, *, dry_run: bool) -> Retained:
    """Delete what `[retention]` does not keep; with `dry_run` only find it."""
    uri, policy, workspace = address.uri(config), config.retention, Path(config.runtime.workspace)
    past = expiry.runs(uri, config.tracking.experiment, config.tracking.registered_model)
    kept = expiry.kept(past, policy)
    removed = expiry.remove(uri, [run for run in past if run.id not in kept], dry_run=dry_run)
    trash = "" if dry_run else expiry.purge(uri, policy.trash_days)
    flow_runs = _remove_flow_runs(past, kept, policy.flow_runs_days, dry_run=dry_run)
    used = Policy(policy.outputs_last, policy.outputs_days)
    remote = config.runtime.remote or address_of(workspace)
    collected = retention.collect_all(workspace, remote, used, dry_run=dry_run)
    return Retained(removed, kept, trash, flow_runs, collected)


def lines(config: Config, done: Retained, dry_run: bool) -> Iterator[str]:
    """Yield one line for each deleted output and run, and the sums."""
    verb = "would be deleted" if dry_run else "deleted"
    for collected in done.collected:
        yield from retention.lines(Path(config.runtime.workspace), collected, dry_run)
    for run, size in done.runs:
        yield visible(f"- MLflow run {run.id}  {size / 1e6:8.1f} MB  {run.name}, {run.status}")
    size = sum(each.bytes for each in done.runs)
    yield f"{size / 1e6:,.1f} MB in {len(done.runs)} MLflow runs {verb} (moved to MLflow's trash)"
    if done.trash:
        yield f"MLflow: {done.trash}"
    yield f"{len(done.flow_runs)} Prefect flow runs {verb}"


def _remove_flow_runs(past: Sequence[Past], kept: dict[str, str], days: float, *, dry_run: bool) -> list[str]:
    """Delete flow runs older than `days`, except those of kept MLflow runs; return their names."""
    stay = {run.flow_run for run in past if run.id in kept}
    with server() as client:
        flow_runs = FlowRuns(client)
        old = [flow_run for flow_run in flow_runs.older(days) if str(flow_run.id) not in stay]
        if not dry_run:
            for flow_run in old:
                flow_runs.remove(flow_run)
    return [flow_run.name for flow_run in old]
