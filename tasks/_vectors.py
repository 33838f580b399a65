"""The word vectors of a training output, as arrays."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks import _contracts
from tasks._store import Dataset


class Vectors(NamedTuple):
    words: list[str]  # by falling count
    counts: NDArray[np.int64]
    table: NDArray[np.float32]  # (V, D), the input vectors


def load(vectors: Dataset) -> Vectors:
    table = read(vectors, ["word", "count", "input"])
    return Vectors(table["word"].to_pylist(), table["count"].to_numpy(), matrix(table["input"]))


def read(vectors: Dataset, columns: list[str]) -> pa.Table:
    contract = _contracts.vectors(vectors.manifest.facts["vector_size"])
    return _contracts.read(vectors.path / "vectors.parquet", contract, columns)


def matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """A column of vectors as one array (V, D)."""
    rows: NDArray[np.float32] = column.combine_chunks().flatten().to_numpy()
    return rows.reshape(len(column), column.type.list_size)
