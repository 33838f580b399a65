"""Load the word vectors of a training output as arrays: the final ones, or those kept of an earlier epoch."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs.schema import Training
from tasks.datasets import contracts
from tasks.engine.facts import VectorsFacts, recorded
from tasks.engine.store import Dataset
from tasks.errors import ContractError, InputError
from tasks.text.normalization import KEY, Rules
from w2v_core import subwords
from w2v_core.subwords import Grams, Subwords

FINAL = "vectors.parquet"
SUBWORDS = "subwords.parquet"  # the n-grams of unseen words, if the training had any
MAPPED = ("subwords.npy", "ngrams.parquet")  # the same in a run or a model: their rows, and their buckets
SUBWORDS_CODE = Path(subwords.__file__)  # which each model carries a copy of
KEY_OF_GRAMS = b"subwords"  # metadata key of their settings
EARLIER = "vectors-epoch-{:03d}.parquet"  # epochs are counted from 1


class WordVectors(NamedTuple):
    """Words, their counts and input vectors."""

    words: list[str]  # by falling count
    counts: NDArray[np.int64]
    table: NDArray[np.float32]  # (V, D), the input vectors
    rules: Rules | None = None  # that normalised the words; None from older versions
    subwords: Subwords | None = None  # of which the vectors of unseen words are made


def kept_epochs(config: Training) -> range:
    """Return the epochs, counted from 1, whose vectors a training keeps beside the final ones."""
    return range(max(1, config.epochs - config.keep_epochs + 1), config.epochs)


def kept(vectors: Dataset) -> list[int]:
    """Return the earlier epochs whose vectors the output keeps."""
    return epochs(file.name for file in vectors.manifest.files)


def epochs(names: Iterable[str]) -> list[int]:
    """Return the epochs in names of files or models, sorted."""
    found = (re.search(r"-epoch-(\d+)", name) for name in names)
    return sorted(int(epoch[1]) for epoch in found if epoch)


def not_kept(where: str, epoch: int, kept: list[int]) -> InputError:
    """Return the error for an epoch without vectors; `where` names the run, `kept` the epochs that have some."""
    return InputError(
        f"{where}: the vectors of epoch {epoch} are not kept\n"
        f"found     {', '.join(map(str, kept)) or 'no earlier epoch'}; for the final vectors, omit --epoch\n"
        "Retrain with --set training.keep_epochs=N to keep the vectors of the last N epochs."
    )


def load(vectors: Dataset, epoch: int | None = None) -> WordVectors:
    """Load the vectors of a training output, of the last epoch by default."""
    table = read(vectors, ["word", "count", "input"], epoch)
    kept = recorded(VectorsFacts, vectors).get("rules")
    return _with_rules(table["word"], table["count"], matrix(table["input"]), kept, _subwords(vectors, epoch))


def mapped(folder: Path) -> WordVectors:
    """Load the vectors of a run or model, with the matrix memory-mapped."""
    words = pq.read_table(folder / "vocabulary.parquet")
    table = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
    kept = (words.schema.metadata or {}).get(KEY)
    return _with_rules(words["word"], words["count"], table, kept, _mapped_subwords(folder))


def write_mapped_subwords(folder: Path, found: Subwords) -> None:
    """Write the n-grams as a run or a model has them, so that the rows can be memory-mapped."""
    rows, buckets = (folder / name for name in MAPPED)
    np.save(rows, found.table, allow_pickle=False)
    kept = {KEY_OF_GRAMS: json.dumps(found.grams._asdict()).encode()}
    pq.write_table(pa.table({"bucket": found.bucket}).replace_schema_metadata(kept), buckets)


def _subwords(vectors: Dataset, epoch: int | None) -> Subwords | None:
    """Return the n-grams of a training output; None if it has none, or for an earlier epoch, whose are not kept."""
    grams = recorded(VectorsFacts, vectors).get("subwords")
    if epoch or grams is None:
        return None
    contract = contracts.subwords(recorded(VectorsFacts, vectors)["vector_size"])
    table = contracts.read(vectors.path / SUBWORDS, contract)
    return Subwords(Grams(**grams), _array(table["bucket"].combine_chunks()), matrix(table["vector"]))


def _mapped_subwords(folder: Path) -> Subwords | None:
    rows, buckets = (folder / name for name in MAPPED)
    if not buckets.exists():
        return None
    bucket = pq.read_table(buckets)
    grams = Grams(**json.loads(bucket.schema.metadata[KEY_OF_GRAMS]))
    table = np.load(rows, mmap_mode="r", allow_pickle=False)
    return Subwords(grams, _array(bucket["bucket"].combine_chunks()), table)


def _with_rules(
    words: pa.ChunkedArray,
    counts: pa.ChunkedArray,
    table: Any,
    kept: str | bytes | None,
    subwords: Subwords | None,
) -> WordVectors:
    try:
        rules = Rules.loads(kept) if kept else None
    except ValueError as error:
        raise ContractError(
            f"these vectors are from a later version of w2v: {error}\nRead them with that version."
        ) from error
    return WordVectors(words.to_pylist(), _array(counts.combine_chunks()), table, rules, subwords)


def read(vectors: Dataset, columns: list[str], epoch: int | None = None) -> pa.Table:
    """Read columns of the vectors of a training output, of the last epoch by default."""
    contract = contracts.vectors(recorded(VectorsFacts, vectors)["vector_size"])
    return contracts.read(vectors.path / (EARLIER.format(epoch) if epoch else FINAL), contract, columns)


def matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """Return a column of vectors as one array (V, D)."""
    return _array(column.combine_chunks().flatten()).reshape(len(column), column.type.list_size)


def _array(values: pa.Array) -> NDArray[Any]:
    """Return numbers without a copy; `to_numpy` does the same, but imports pandas, which takes half a second."""
    return np.from_dlpack(values)
