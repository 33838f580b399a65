"""The files that a training reads and writes: windows, and tables of vectors."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.datasets import contracts
from w2v_core.model import Model
from w2v_core.subwords import Subwords
from w2v_core.windows import Windows

WORDS_AT_ONCE = 1 << 12


def read_windows(file: Path) -> Windows:
    """Read one shard of windows. Raises ContractError if it is damaged."""
    columns = contracts.read(file, contracts.WINDOWS)
    return Windows(*(columns[name].to_numpy() for name in ("document", "center", "radius")))


def write_vectors(path: Path, words: pa.Table, model: Model) -> None:
    """Write the words with their counts, input and output vectors, as contract `vectors`."""
    contracts.write(path, contracts.vectors(model.input.shape[1]), _tables(words, model.composed()))


def write_subwords(path: Path, found: Subwords) -> None:
    """Write the rows of the n-grams, as contract `subwords`."""
    table = pa.table({"bucket": found.bucket, "vector": _column(found.table)})
    contracts.write(path, contracts.subwords(found.table.shape[1]), table)


def _tables(words: pa.Table, model: Model) -> Iterator[pa.Table]:
    """Yield the vectors in parts, so that a copy of one is small beside the model."""
    for first in range(0, len(words), WORDS_AT_ONCE):
        part = slice(first, first + WORDS_AT_ONCE)
        table = words.slice(first, WORDS_AT_ONCE).append_column("input", _column(model.input[part]))
        yield table.append_column("output", _column(model.output[part]))


def _column(table: NDArray[np.floating]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(table).reshape(-1)), table.shape[1])
