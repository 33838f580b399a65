"""Return runs, scores and neighbours as pandas frames, for notebooks; docs/how-to/notebook.md has examples."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from configs import workspaces
from flows.query import vectors
from tasks.reports import tables
from tasks.tracking import address, lookup
from tasks.tracking.client import reached
from tasks.tracking.names import GROUPS, LOSS, PARENT
from tasks.tracking.run import known_run

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

ABOUT = ["run", "name", "status", "started", "minutes", "parent", "held_out"]
COLUMNS = ["score", "value", "low", "high", "coverage", "measured_on"]


def runs(workspace: str | Path | None = None) -> pd.DataFrame:
    """Return one row a run, newest first, indexed by run id: name, status, times, parameters and metrics.

    Parameters and metrics have MLflow's names. A parameter that is a number in every run is numeric. J(θ) can be
    compared only between runs with the same `held_out`, the digest of their held-out windows. Raises TrackingError if
    there are no runs yet.
    """
    with reached(address.runs_of(_folder(workspace))) as client:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        rows = [_row(record) for record in lookup.every(client, experiments)]
    columns = dict.fromkeys([*ABOUT, *(name for row in rows for name in row)])  # also if there is no run
    return pd.DataFrame(rows, columns=list(columns)).set_index("run").apply(_numbers)


def scores(run_ids: str | Sequence[str], workspace: str | Path | None = None) -> pd.DataFrame:
    """Return one row for each run and score: its value, its 95% interval, and the share of items it covers.

    Values can be compared only if they were `measured_on` the same: it is the digest of held-out windows or of a set.
    Raises TrackingError if a run is unknown.
    """
    uri = address.runs_of(_folder(workspace))
    parts = []
    for run_id in [run_ids] if isinstance(run_ids, str) else run_ids:
        with reached(uri) as client:
            record = known_run(client, uri, run_id)
        rows = [
            row | {"measured_on": lookup.basis(record, row["score"])}
            for row in tables.scores(record.data.metrics)
            if {row["score"], row["score"].split("/")[0]} & {LOSS, *GROUPS}
        ]
        parts.append(pd.DataFrame(rows, columns=COLUMNS).assign(run=run_id))
    return pd.concat(parts).set_index(["run", "score"])


def neighbors(
    words: str | Sequence[str], k: int = 10, run: str | None = None, workspace: str | Path | None = None
) -> pd.DataFrame:
    """Return one row for each word and neighbour, nearest first: the rank, from 1, and the cosine.

    The vectors are those of `run`, or of the last retraining. Raises InputError if a word is unknown, TrackingError if
    the run is unknown.
    """
    asked = [words] if isinstance(words, str) else list(words)
    found = vectors.neighbors(vectors.space(_folder(workspace), run), asked, k)
    rows = [
        (word, rank, neighbor, cosine)
        for word, nearest in found.items()
        for rank, (neighbor, cosine) in enumerate(nearest, 1)
    ]
    return pd.DataFrame(rows, columns=["word", "rank", "neighbor", "cosine"]).set_index(["word", "rank"])


def _folder(workspace: str | Path | None) -> Path:
    return workspaces.folder(workspace) if workspace else workspaces.default()


def _row(record: "MlflowRun") -> dict[str, Any]:
    info = record.info
    started = pd.Timestamp(info.start_time, unit="ms", tz="UTC")
    minutes = (info.end_time - info.start_time) / 60_000 if info.end_time else None
    about = [info.run_id, info.run_name, info.status, started, minutes, record.data.tags.get(PARENT)]
    about.append(lookup.basis(record, LOSS))
    return dict(zip(ABOUT, about, strict=True)) | record.data.params | record.data.metrics


def _numbers(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Convert a column to numbers if every value is one; else return it unchanged."""
    try:
        return pd.to_numeric(column) if column.dtype in (object, "str") else column
    except (TypeError, ValueError):
        return column
