"""List runs, and tell all about one: state, version, scores, places; for `w2v runs` and `w2v show`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import Field

from tasks.engine.store import FrozenModel
from tasks.reports import tables
from tasks.tracking import lookup, registry
from tasks.tracking.client import reached
from tasks.tracking.names import (
    CONFIG_NAME,
    CONTINUE,
    FLOW_RUN,
    GROUPS,
    LOSS,
    MODEL_VERSION,
    NOTHING_LEARNT,
    PARENT,
    REPRODUCES,
    VERDICT,
)
from tasks.tracking.ownership import abandoned
from tasks.tracking.run import Run, known_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

ABANDONED = "abandoned"


class RunRow(FrozenModel):
    """A run as `w2v runs` lists it."""

    run: str = Field(description="Its id.")
    name: str
    config: str = Field(description="`name` of its config.")
    state: str = Field(
        description="`running`, `finished`, `failed`, `killed`, or `abandoned`: its process is dead, and "
        "`w2v reconcile` closes it."
    )
    started: str = Field(description="ISO 8601, UTC.")
    minutes: float | None = Field(description="How long it took; null while it runs.")
    parent: str = Field(description="The run below which it is: of a sweep, seeds or a backfill; else empty.")
    version: str = Field(description="The registered version, MODEL/NUMBER; empty if it has none.")
    aliases: list[str] = Field(description="`champion`, `challenger`: what that version is now.")
    verdict: str = Field(description="The last decision about it: `promoted`, `kept back`, `restored`, or empty.")
    scores: dict[str, float] = Field(description="J(θ), and the scores on evaluation sets, by metric.")
    measured_on: dict[str, str] = Field(
        description="By metric, the digest of the held-out windows or of the set; scores on different ones cannot be "
        "compared. A run of an older version may not have it."
    )


class Scored(FrozenModel):
    score: str = Field(description="The name of the metric.")
    value: float
    low: float | None = Field(description="The 95% interval; null if the score has none.")
    high: float | None = Field(description="Its upper end.")
    coverage: float | None = Field(description="The share of the items whose words are known; null if it has none.")


class RunDetails(RunRow):
    """A run as `w2v show` tells it: the same as in `w2v runs`, and this."""

    why: str = Field(description="The reason of the last decision, or why it may not become champion.")
    intervals: list[Scored] = Field(description="All scores, with intervals.")
    parameters: dict[str, str] = Field(description="The settings that determine the result.")
    reproduces: str = Field(description="The run that it reproduces; else empty.")
    resume: str = Field(description="How to continue it; empty if it is finished.")
    flow_run: str = Field(description="The id of Prefect's flow run.")
    artifacts: str = Field(description="The address of its files.")


def listed(uri: str, last: int) -> list[RunRow]:
    """Return the newest runs, newest first."""
    with reached(uri) as client:
        aliases = _aliases(client)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return [RunRow(**_row(record, aliases)) for record in islice(lookup.every(client, experiments), last)]


def details(uri: str, name: str) -> RunDetails:
    """Return all about a run, given as `w2v show` takes it. Raises TrackingError or InputError if it is unknown."""
    run_id = registry.run_id(uri, name)
    with reached(uri) as client:
        record = known_run(client, uri, run_id)
        row = _row(record, _aliases(client))
    tags = record.data.tags
    return RunDetails(
        **row,
        why=_why(uri, str(row["version"]), run_id) or tags.get(NOTHING_LEARNT, ""),
        intervals=[Scored(**each) for each in tables.scores(record.data.metrics) if _judges(each["score"])],
        parameters=record.data.params,
        reproduces=tags.get(REPRODUCES, ""),
        resume=tags.get(CONTINUE, ""),
        flow_run=tags.get(FLOW_RUN, ""),
        artifacts=record.info.artifact_uri,
    )


def newest(uri: str) -> str:
    """Return the id of the newest run that a flow run made, "" if there is none."""
    with reached(uri) as client:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found: Iterator[MlflowRun] = lookup.every(client, experiments)
        return next((record.info.run_id for record in found if FLOW_RUN in record.data.tags), "")


def flow_run(uri: str, run_id: str) -> str:
    """Return the id of the run's flow run on Prefect's server, "" if it has none."""
    return str(Run(uri, run_id).record.data.tags.get(FLOW_RUN, ""))


def _row(record: "MlflowRun", aliases: dict[str, list[str]]) -> dict[str, object]:
    info, tags = record.info, record.data.tags
    version = tags.get(MODEL_VERSION, "")
    scores = {name: value for name, value in sorted(record.data.metrics.items()) if _judges(name)}
    return {
        "run": info.run_id,
        "name": info.run_name,
        "config": tags.get(CONFIG_NAME, ""),
        "state": ABANDONED if abandoned(record) else info.status.lower(),
        "started": datetime.fromtimestamp(info.start_time / 1_000, UTC).isoformat(timespec="seconds"),
        "minutes": round((info.end_time - info.start_time) / 60_000, 2) if info.end_time else None,
        "parent": tags.get(PARENT, ""),
        "version": version,
        "aliases": aliases.get(version, []),
        "verdict": tags.get(VERDICT, ""),
        "scores": scores,
        "measured_on": {name: basis for name in scores if (basis := lookup.basis(record, name))},
    }


def _judges(metric: str) -> bool:
    return metric == LOSS or metric.partition("/")[0] in GROUPS


def _aliases(client: "MlflowClient") -> dict[str, list[str]]:
    """Return the aliases of each version, as MODEL/NUMBER."""
    found: dict[str, list[str]] = {}
    for model in client.search_registered_models():
        for alias, number in sorted(model.aliases.items()):
            found.setdefault(f"{model.name}/{number}", []).append(alias)
    return found


def _why(uri: str, version: str, run_id: str) -> str:
    """Return the reason of the last decision about the version of a run, "" if there is none."""
    name, _, number = version.rpartition("/")
    found = registry.model(uri, name).versions.get(number) if name else None
    return found.decisions[-1].why if found and found.run_id == run_id and found.decisions else ""
