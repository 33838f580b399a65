"""The vectors of a run, for whoever wants to look at them or take them elsewhere."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks import _contracts, _formats
from tasks._errors import InputError
from tasks._store import Dataset
from w2v_core import similarity

LATEST = "latest.json"  # in the workspace: the training output of the last retraining


class Vectors(NamedTuple):
    words: list[str]  # by falling count
    counts: NDArray[np.int64]
    table: NDArray[np.float32]  # (V, D)


def load(workspace: Path, run: str | None = None) -> Vectors:
    """The vectors of the MLflow run `run`, or of the last retraining in the workspace.

    Raises InputError if there was none, TrackingError if the run is unknown.
    """
    if run is not None:
        from tasks import _tracking

        return Vectors(*_tracking.load_vectors(workspace, run))
    try:
        latest = Dataset.model_validate_json((workspace / LATEST).read_bytes())
    except FileNotFoundError:
        raise InputError(f"{workspace}: no vectors yet.\nRun `w2v retrain` first, or name a --workspace.") from None
    return from_dataset(latest)


def from_dataset(vectors: Dataset) -> Vectors:
    path = vectors.path / "vectors.parquet"
    table = _contracts.read(path, _contracts.vectors(vectors.manifest.facts["vector_size"]), ["word", "count", "input"])
    rows = table["input"].combine_chunks()
    flat = rows.flatten().to_numpy(zero_copy_only=False)
    return Vectors(table["word"].to_pylist(), table["count"].to_numpy(), flat.reshape(len(rows), -1))
