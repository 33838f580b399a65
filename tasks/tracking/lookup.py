"""Look up runs by a tag, within one experiment; an experiment that does not exist has none."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from tasks.errors import TrackingError
from tasks.tracking.client import already_exists, reached
from tasks.tracking.database_paths import ARTIFACTS, artifact_address, database_at
from tasks.tracking.names import EXPERIMENT_KIND

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

PAGE = 1_000  # runs in one of MLflow's answers
HELD_OUT = "held-out"  # the dataset of a run with its held-out windows
OF_HELD_OUT = ("loss", "sessions", "catalogue", "baseline")  # groups of scores that are measured on these


def experiment(client: "MlflowClient", name: str) -> str | None:
    """Return the experiment's id, None if there is none. Raises TrackingError if it is deleted."""
    found = client.get_experiment_by_name(name)
    if found and found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"the MLflow experiment {found.name!r} is deleted\n"
            f"Restore it with `mlflow experiments restore --experiment-id {found.experiment_id}`, "
            "or name another with --set tracking.experiment=NAME."
        )
    return found.experiment_id if found else None


def experiment_to_write(client: "MlflowClient", name: str, uri: str) -> str:
    """Return the experiment's id, after creating it if there is none.

    Our database has its artifacts beside it; a server decides itself.
    """
    from mlflow.exceptions import MlflowException

    if there := experiment(client, name):
        return there
    database = database_at(uri)
    beside = artifact_address(database.absolute().parent / ARTIFACTS) if database else None
    tags = {EXPERIMENT_KIND: "custom_model_development"}
    try:
        client.create_experiment(name, artifact_location=beside, tags=tags)
    except MlflowException as error:  # the first run of another workspace has just created it
        if not already_exists(error):
            raise
    return str(experiment(client, name))


def every(client: "MlflowClient", experiments: Sequence[str], wanted: str = "") -> "Iterator[MlflowRun]":
    """Yield the runs of the experiments, newest first, however many there are; `wanted` is MLflow's filter."""
    token = None
    while experiments:
        page = client.search_runs(list(experiments), wanted, max_results=PAGE, page_token=token)
        yield from page
        if not (token := page.token):
            return


def newest(client: "MlflowClient", experiment: str | None, tag: str, value: str) -> "MlflowRun | None":
    """Return the newest run with this tag, in any state; None if there is none."""
    return next(iter(tagged(client, experiment, tag, value)), None)


def tagged(client: "MlflowClient", experiment: str | None, tag: str, value: str, status: str = "") -> "list[MlflowRun]":
    """Return the runs with this tag, newest first; with `status`, only those in this state."""
    wanted = f"tags.`{tag}` = '{value}'" + (f" and attributes.status = '{status}'" if status else "")
    return list(client.search_runs([experiment], wanted)) if experiment else []


def of_ids(uri: str, ids: Sequence[str]) -> "dict[str, MlflowRun]":
    """Return the runs with these ids, of any experiment; a run that was deleted is left out."""
    with reached(uri) as client:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        quoted = ", ".join(f"'{each}'" for each in ids)
        found = every(client, experiments, f"attributes.run_id IN ({quoted})") if ids else ()
        return {run.info.run_id: run for run in found}


def unfinished(uri: str, experiments: Collection[str], since: int, last: int) -> "list[MlflowRun]":
    """Return the last runs, started since then (ms since 1970), that have failed or were killed."""
    wanted = f"attributes.status != 'FINISHED' and attributes.start_time >= {since}"
    with reached(uri) as client:
        found = client.search_runs(list(experiments), wanted, max_results=last)
    return [run for run in found if run.info.status in ("FAILED", "KILLED")]


def basis(run: "MlflowRun", score: str) -> str:
    """Return the digest of what a score was measured on: held-out windows or a set; "" if the run does not say.

    Scores on different ones cannot be compared.
    """
    group, _, name = score.partition("/")
    judge = HELD_OUT if group in OF_HELD_OUT else name.partition(".")[0]
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return next((str(each.dataset.digest) for each in inputs if each.dataset.name == judge), "")
