"""Sessions with MLflow: which run belongs to which flow run and to which result, how a run starts and how it ends.

See also `run` (what a run can hold), `ownership` (which run is resumed) and `registry` (the model that it registers).
"""

import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.addresses import shown
from configs.schema import Config
from tasks.datasets.files import digest_of
from tasks.engine import environment
from tasks.errors import TrackingError, Unreachable
from tasks.tracking import heartbeat, single_flight
from tasks.tracking.client import already_exists, reached
from tasks.tracking.database_paths import ARTIFACTS, DATABASE, address_of, artifact_address, check_name, database_at
from tasks.tracking.ownership import HOST, RECIPE, abandoned, alone, check_closable, close, owner_tags, reopen
from tasks.tracking.run import Run, gathered, gone, known_run
from tasks.tracking.single_flight import AtWork, Turn
from tasks.vectors import tables
from tasks.vectors.tables import Vectors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as Record

FLOW_RUN, RESULT = "prefect.flow_run_id", single_flight.RESULT  # tags to find runs by
NEWS = "corpus.news"  # the tag that describes what is new in the text
REPRODUCES = single_flight.REPRODUCES
DIGEST = "config.digest"  # the tag: equal digests, equal settings. As a parameter it would differ in every comparison
PARENT = "mlflow.parentRunId"  # the tag by which MLflow shows a run below another
LONGEST = 6_000  # characters of a parameter; config.json has all of them
VECTORS = "vectors"  # the artifact folder of a run with its vectors
ALIGNED = "aligned"  # the artifact folder with vectors in the champion's axes; also the tag that names the champion


log = logging.getLogger("w2v")


def uri(config: Config) -> str:
    """Return MLflow's address: tracking.uri, else that of the workspace."""
    return config.tracking.uri or workspace_uri(Path(config.runtime.workspace))


def workspace_uri(workspace: Path) -> str:
    """Return MLFLOW_TRACKING_URI, else the address of a database in the workspace.

    Raises StoreError if the path of the workspace is one that SQLite cannot open.
    """
    if elsewhere := os.environ.get("MLFLOW_TRACKING_URI"):
        return elsewhere
    check_name(workspace)
    return address_of(workspace / DATABASE)


@contextmanager
def unless_required(config: Config) -> Iterator[None]:
    """Within the block, go on without MLflow if it cannot be reached, unless tracking.required is set."""
    try:
        yield
    except Unreachable as error:
        if config.tracking.required:
            raise
        _warn_unreachable(shown(uri(config)), str(error).splitlines()[1])


@functools.cache  # log it once
def _warn_unreachable(place: str, reason: str) -> None:
    log.warning(
        "MLflow at %s does not answer\n%s\nThe run goes on without it: tracking.required = false.", place, reason
    )


def begin(
    config: Config, flow_run_id: str, name: str = "", recipe: str = "", reproduces: str = "", parent: str = ""
) -> Turn:
    """Return the flow run's MLflow run, RUNNING and owned by this process.

    It is the one it already has (a flow that is retried), the unfinished one of this recipe, or a new one. A run that
    has the recipe's result is returned as finished and left as it is. Waits while another process computes the result.
    """
    named = {RECIPE: recipe, REPRODUCES: reproduces, PARENT: parent}
    tags = _tags(config, flow_run_id) | {tag: value for tag, value in named.items() if value}
    title = name or f"{config.name} {datetime.now():%m-%d %H:%M:%S}"
    while True:
        try:
            with reached(uri(config)) as client, alone(Path(config.runtime.workspace)):
                experiment = _experiment(client, config) or _create_experiment(client, config)
                with _turn(client, experiment, config, tags, title) as record:
                    run = Run(uri(config), record.info.run_id)
                    if single_flight.holds_result(record):
                        return Turn(run.id, finished=True)
                    run.tag(tags)  # a resumed run has a new owner
                    reopen(client, record)
            break
        except AtWork as other:
            single_flight.wait(uri(config), other.record, config.runtime.lost_after, config.tracking.patience)
    run.parameters(parameters(config))
    with gathered(Path(config.runtime.workspace), run.id) as folder:
        (folder / "config.json").write_text(config.model_dump_json(indent=1), encoding="utf-8")
        run.files(folder)
    heartbeat.start(run, config.runtime.lost_after)
    return Turn(run.id, finished=False)


def start(config: Config, flow_run_id: str, name: str = "", **tags: str) -> str:
    """Do the same as `begin`, and return the run's id only."""
    return begin(config, flow_run_id, name, **tags).run_id


@contextmanager
def _turn(
    client: "MlflowClient", experiment: str, config: Config, tags: dict[str, str], title: str
) -> "Iterator[Record]":
    if record := _find(client, experiment, FLOW_RUN, tags[FLOW_RUN]):
        yield record
    elif RECIPE in tags:
        shared = uri(config) != address_of(Path(config.runtime.workspace) / DATABASE)
        with single_flight.turn(client, experiment, tags, title, shared=shared) as record:
            yield record
    else:
        yield client.create_run(experiment, tags=tags, run_name=title)


def finish_flow_run(config: Config, flow_run_id: str, status: str) -> None:
    """End the flow run's MLflow run as FINISHED, FAILED or KILLED. Does nothing if it has none."""
    with reached(uri(config)) as client:
        if record := _find(client, _experiment(client, config), FLOW_RUN, flow_run_id):
            close(client, record, status)


def tag_flow_run(config: Config, flow_run_id: str, tags: dict[str, str]) -> None:
    """Set tags of the flow run's MLflow run, if it has one."""
    if run_id := find_of_flow_run(config, flow_run_id):
        Run(uri(config), run_id).tag(tags)


def find_of_flow_run(config: Config, flow_run_id: str) -> str | None:
    """Return the id of the flow run's MLflow run, None if it has none."""
    with reached(uri(config)) as client:
        record = _find(client, _experiment(client, config), FLOW_RUN, flow_run_id)
    return record.info.run_id if record else None


def close_abandoned(config: Config) -> list[str]:
    """Mark as KILLED every RUNNING run whose owner, a process of this host, is dead; return their ids."""
    with reached(uri(config)) as client, alone(Path(config.runtime.workspace)):
        running = _search(client, _experiment(client, config), HOST, environment.owner().host, "RUNNING")
        gone = [record for record in running if abandoned(record)]
        for record in gone:
            close(client, record, "KILLED")
    return [record.info.run_id for record in gone]


def close_run(workspace: Path, run_id: str) -> None:
    """Mark a run of any host as KILLED. Raises TrackingError if it is not RUNNING, or at work on this host."""
    with reached(runs_of(workspace)) as client:
        record = known_run(client, workspace_uri(workspace), run_id)
        check_closable(record)
        close(client, record, "KILLED")


def stop(config: Config, run_id: str) -> None:
    """Mark a run as KILLED, with a tag that says how to resume it."""
    with reached(uri(config)) as client:
        close(client, client.get_run(run_id), "KILLED")


def find_finished(config: Config, result: str) -> str | None:
    """Return the id of the newest complete run of this result, reproductions excluded; None if there is none."""
    with reached(uri(config)) as client:
        found = _search(client, _experiment(client, config), RESULT, result, "FINISHED")
    return next((record.info.run_id for record in found if REPRODUCES not in record.data.tags), None)


def check_experiment(config: Config) -> None:
    """Raise TrackingError if the experiment is deleted. Does not create a missing database."""
    database = database_at(uri(config))
    if database is None or database.exists():
        with reached(uri(config)) as client:
            _experiment(client, config)


def find_tagged(config: Config, tag: str, value: str) -> "Record | None":
    """Return the newest run with this tag, in any state; None if there is none."""
    with reached(uri(config)) as client:
        return _find(client, _experiment(client, config), tag, value)


def runs_of(workspace: Path) -> str:
    """Return MLflow's address of the workspace. Raises TrackingError if its database does not exist yet."""
    return _existing(workspace_uri(workspace), workspace)


def runs_of_config(config: Config) -> str:
    """Return MLflow's address of a config. Raises TrackingError if its database does not exist yet."""
    return _existing(uri(config), Path(config.runtime.workspace))


def _existing(found: str, workspace: Path) -> str:
    database = database_at(found)
    if database and not database.exists():
        missing = "no runs yet" if workspace.exists() else "there is no workspace here"
        raise TrackingError(f"{workspace}: {missing}.\nRun `w2v retrain` first, or give another --workspace.")
    return found


def vectors_of(run: Run, name: str = VECTORS) -> Vectors:
    """Return the vectors of a run, mapped from the file. Raises TrackingError if the run is unknown or has none."""
    status = run.record.info.status
    with reached(run.uri) as client:
        if not client.list_artifacts(run.id, name):
            if status == "FINISHED" and not client.list_artifacts(run.id):
                raise gone(run.record.info.artifact_uri)
            raise TrackingError(f"run {run.id} holds no vectors: it is {status}\nName a FINISHED run.")
    try:
        with run.fetched(name) as folder:
            return tables.mapped(folder)
    except OSError as error:
        raise TrackingError(f"run {run.id} holds no vectors ({error}).\nName a FINISHED run.") from error


def parameters(config: Config) -> dict[str, str]:
    """Return all settings that affect the result, as `section.key` → value."""
    values = _settings_of_result(config)
    flat = {"seed": str(values.pop("seed"))}
    for section, settings in values.items():
        flat |= {f"{section}.{key}": str(value)[:LONGEST] for key, value in settings.items()}
    return flat


def _settings_of_result(config: Config) -> dict[str, Any]:
    without_result = {"version", "name", "tracking", "promotion", "schedule", "runtime", "notify", "retention"}
    return config.model_dump(mode="json", exclude=without_result)


def _tags(config: Config, flow_run_id: str) -> dict[str, str]:
    commit = environment.commit()
    return {
        FLOW_RUN: flow_run_id,
        **owner_tags(),
        "config.name": config.name,
        DIGEST: digest_of(_settings_of_result(config)),
        "w2v.version": version("w2v-retraining"),  # a version that can read what is logged here
        "mlflow.user": environment.user(),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": "w2v retrain",
        **({"mlflow.source.git.commit": commit["commit"], "git.dirty": commit["dirty"]} if commit else {}),
    }  # fmt: skip


def _experiment(client: "MlflowClient", config: Config) -> str | None:
    found = client.get_experiment_by_name(config.tracking.experiment)
    if found and found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"the MLflow experiment {found.name!r} is deleted\n"
            f"Restore it with `mlflow experiments restore --experiment-id {found.experiment_id}`, "
            "or name another with --set tracking.experiment=NAME."
        )
    return found.experiment_id if found else None


def _create_experiment(client: "MlflowClient", config: Config) -> str:
    """Create the experiment and return its id. Our database has its artifacts beside it; a server decides itself."""
    from mlflow.exceptions import MlflowException

    database = database_at(uri(config))
    beside = artifact_address(database.absolute().parent / ARTIFACTS) if database else None
    tags = {"mlflow.experimentKind": "custom_model_development"}
    try:
        client.create_experiment(config.tracking.experiment, artifact_location=beside, tags=tags)
    except MlflowException as error:  # the first run of another workspace has just created it
        if not already_exists(error):
            raise
    return str(_experiment(client, config))


def _find(client: "MlflowClient", experiment: str | None, tag: str, value: str, status: str = "") -> "Record | None":
    return next(iter(_search(client, experiment, tag, value, status)), None)


def _search(client: "MlflowClient", experiment: str | None, tag: str, value: str, status: str) -> "list[Record]":
    wanted = f"tags.`{tag}` = '{value}'" + (f" and attributes.status = '{status}'" if status else "")
    return list(client.search_runs([experiment], wanted)) if experiment else []
