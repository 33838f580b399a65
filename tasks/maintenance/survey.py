"""Look up MLflow's records of the runs that have worked in a workspace."""

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.maintenance.garbage import Known, pinned
from tasks.tracking.address import workspace_uri
from tasks.tracking.client import not_found, reached
from tasks.tracking.names import HOST, WARM_START
from tasks.tracking.ownership import abandoned, close, lock_of_starts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun


def survey(workspace: Path, run_ids: list[str]) -> list[Known]:
    """Return MLflow's records of these runs; close abandoned ones first."""
    with reached(workspace_uri(workspace)) as client, lock_of_starts(workspace):
        named = named_runs(client)
        records = {run_id: _get(client, run_id) for run_id in run_ids}
        for run_id, record in records.items():
            if record and abandoned(record):
                close(client, record, "KILLED")
                records[run_id] = client.get_run(run_id)
    return [_known(run_id, record, named) for run_id, record in records.items()]


def _known(run_id: str, record: "MlflowRun | None", named: set[str]) -> Known:
    if record is None:
        return Known(run_id, "UNKNOWN", "", 0.0, 0.0, named=False, pinned=False, warm_start="")
    info, params = record.info, record.data.params
    status = info.status if info.lifecycle_stage == "active" else "DELETED"
    start = params.get(WARM_START, "None").replace("None", "")
    times = info.start_time / 1_000, (info.end_time or info.start_time) / 1_000
    tags = record.data.tags
    return Known(run_id, status, tags.get(HOST, ""), *times, run_id in named, pinned(tags), start)


def _get(client: "MlflowClient", run_id: str) -> "MlflowRun | None":
    """Return the run, or None if it belongs to another server."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if not not_found(error):
            raise
        return None


def named_runs(client: "MlflowClient") -> set[str]:
    """Return the runs whose registered model has an alias."""
    models = client.search_registered_models()
    versions = {(model.name, version) for model in models for version in model.aliases.values()}
    return {str(client.get_model_version(*each).run_id) for each in versions}
