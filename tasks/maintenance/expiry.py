"""Delete old MLflow runs with their models and files: first into MLflow's trash, later for good.

A deleted run stays in the trash for some days with its files, and `mlflow runs restore` brings it back, but not its
version of the registered model. Then `mlflow gc` purges the trash, including what others deleted.
"""

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlparse
from urllib.request import url2pathname

from configs.addresses import shown
from configs.schema import Retention
from tasks.engine.environment import MODULE
from tasks.errors import InputError, TrackingError
from tasks.maintenance.garbage import DAY, pinned, size_of
from tasks.maintenance.survey import named_runs
from tasks.tracking import lookup, registry
from tasks.tracking.client import reached
from tasks.tracking.names import FLOW_RUN, HOST, KEEP, PARENT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

DATABASE = "MLFLOW_BACKEND_STORE_URI"  # MLflow's variable for the database of its server


class Past(NamedTuple):
    """A run, with the facts that decide whether it is kept."""

    id: str
    name: str
    status: str
    started: float
    ended: float  # seconds since 1970
    why_kept: str  # reason to keep it at any age; or ""
    parent: str
    flow_run: str
    artifacts: str  # URI of its files


class Removed(NamedTuple):
    """A deleted run, and the size of its files."""

    run: Past
    bytes: int


def runs(uri: str, experiment: str, model: str) -> list[Past]:
    """Return our runs in the experiment, including finished and open ones; runs in MLflow's trash are left out."""
    with reached(uri) as client:
        found = client.get_experiment_by_name(experiment)
        records = list(lookup.every(client, [found.experiment_id])) if found else []
        named = dict.fromkeys(named_runs(client), "its model has an alias")
    if before := _champion_before(uri, model):
        named.setdefault(before, "it was champion before, and `w2v rollback` restores it")
    return [_past(record, named) for record in records if HOST in record.data.tags]


def kept(past: list[Past], policy: Retention) -> dict[str, str]:
    """Return the runs to keep, each with the reason; parent and children of a kept run are kept, too."""
    since = time.time() - policy.runs_days * DAY
    newest = sorted(past, key=lambda run: -run.started)
    stay = {run.id: f"ended within {policy.runs_days:g} days" for run in past if run.ended > since}
    stay |= {run.id: f"one of the last {policy.runs_last}" for run in newest[: policy.runs_last]}
    stay |= {run.id: run.why_kept for run in past if run.why_kept}
    family = _families(past)
    for member in list(stay):
        for other in family[member]:
            stay.setdefault(other, "its parent, or a child of its parent, is kept")
    return stay


def remove(uri: str, past: list[Past], *, dry_run: bool) -> list[Removed]:
    """Delete the runs with their models and versions; return them with their sizes."""
    found = []
    with reached(uri) as client:
        for run in past:
            models = client.search_logged_models(_experiment_ids(client, run), f"source_run_id = '{run.id}'")
            places = [run.artifacts, *(str(model.artifact_location) for model in models)]
            found.append(Removed(run, sum(map(_size, places))))
            if dry_run:
                continue
            for version in client.search_model_versions(f"run_id = '{run.id}'"):
                client.delete_model_version(version.name, str(version.version))
            for model in models:
                client.delete_logged_model(model.model_id)
            client.delete_run(run.id)
    return found


def _experiment_ids(client: "MlflowClient", run: Past) -> list[str]:
    return [client.get_run(run.id).info.experiment_id]


def purge(uri: str, days: float) -> str:
    """Purge runs that were deleted at least `days` ago; return a summary.

    MLflow does this in its database, not through its server.
    """
    database = os.environ.get(DATABASE) or uri
    if database.startswith("http"):
        return (
            f"its trash is not purged: set {DATABASE} to the database of the server at {shown(uri)}, "
            f"or run `mlflow gc --older-than {days:g}d` where it runs"
        )
    done = subprocess.run(
        [*MODULE, "mlflow", "gc", "--older-than", f"{days:g}d"],
        env={**os.environ, DATABASE: database, "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise TrackingError(f"`mlflow gc` did not purge the trash of {shown(uri)}\n{shown(last, database)}")
    number = done.stdout.count("Run with ID")
    return f"{number} runs purged that were deleted {days:g} days ago or earlier"


def _past(record: "MlflowRun", named: dict[str, str]) -> Past:
    info, tags = record.info, record.data.tags
    why = named.get(info.run_id, "") or (f"it has the tag `{KEEP}`" if pinned(tags) else "")
    return Past(
        id=info.run_id,
        name=info.run_name,
        status=info.status,
        started=info.start_time / 1_000,
        ended=(info.end_time or info.start_time) / 1_000,
        why_kept=info.status if info.status == "RUNNING" else why,
        parent=tags.get(PARENT, ""),
        flow_run=tags.get(FLOW_RUN, ""),
        artifacts=str(info.artifact_uri),
    )


def _champion_before(uri: str, model: str) -> str:
    try:
        return registry.predecessor(registry.model(uri, model)).run_id
    except InputError:  # there is none
        return ""


def _families(past: list[Past]) -> dict[str, set[str]]:
    """Return for each run its family: parent, siblings and children."""
    known = {run.id for run in past}
    head = {run.id: run.parent if run.parent in known else run.id for run in past}
    members: dict[str, set[str]] = {}
    for run in past:
        members.setdefault(head[run.id], {head[run.id]}).add(run.id)
    return {run.id: members[head[run.id]] for run in past}


def _size(place: str) -> int:
    """Return the size of a local folder in bytes; 0 for remote ones."""
    address = urlparse(place)
    if address.scheme not in ("", "file"):
        return 0
    return size_of(Path(url2pathname(address.path)))
