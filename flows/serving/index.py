"""Neighbours by an index that `w2v export --format usearch` wrote: it proposes words, exact cosines rank them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tasks.errors import InputError
from tasks.vectors import index as exported
from tasks.vectors.tables import WordVectors
from w2v_core.arrays import Floats, Integers
from w2v_core.measures.similarity import ELEMENTS, Answers, Vectors

PROPOSED = 4  # words that the index proposes, for each that is asked for
SAMPLE = 100  # rows by which an index is recognised as that of a table


class Indexed(Vectors):
    """A table of vectors whose nearest words an index proposes; where it finds too few, search is exact."""

    def __init__(self, table: Floats, index: Any, elements: int = ELEMENTS) -> None:
        super().__init__(table, elements)
        self._index = index

    def nearest(self, query: Floats, excluded: Integers, k: int, candidates: int | None = None) -> Answers:
        """Return the k words nearest to each query vector (Q, D), as far as the index proposes them."""
        wanted = min(PROPOSED * k + excluded.shape[1], len(self._table))
        if candidates is not None or not len(query):
            return super().nearest(query, excluded, k, candidates)
        found = self._index.search(np.ascontiguousarray(query, np.float32), wanted, threads=1)
        keys = np.asarray(found.keys).reshape(len(query), -1).astype(np.intp)
        # usearch answers a single query by another class, without counts
        if keys.shape[1] < wanted or (np.asarray(getattr(found, "counts", wanted)) < wanted).any():
            return super().nearest(query, excluded, k)
        ranked = self.ranked(query, Answers(keys, np.empty(0, np.float32)), wanted)
        out = (ranked.word[:, :, None] == excluded[:, None, :]).any(axis=2)
        first = np.argsort(out, axis=1, kind="stable")[:, : max(0, min(k, wanted - excluded.shape[1]))]
        return Answers(np.take_along_axis(ranked.word, first, axis=1), np.take_along_axis(ranked.score, first, axis=1))


def indexed(folder: Path, learnt: WordVectors, elements: int) -> Indexed:
    """Return the table with the index in the folder, mapped. Raises InputError if it is not that of these vectors."""
    try:
        from usearch.index import Index

        index = Index.restore(str(folder / exported.INDEX), view=True)
        words = pq.read_table(folder / exported.VOCABULARY, columns=["word"])["word"].to_pylist()
    except ImportError as error:
        raise exported.missing() from error
    except (OSError, RuntimeError, ValueError) as error:
        raise _refused(folder, str(error).partition("\n")[0]) from error
    if index is None or len(index) != len(words):
        raise _refused(folder, "a damaged index")
    rows = np.unique(np.linspace(0, len(words) - 1, min(SAMPLE, len(words))).astype(np.uint64))
    if words != learnt.words or not np.array_equal(np.array(index.get(rows)), learnt.table[rows.astype(np.intp)]):
        raise _refused(folder, "an index of other vectors")
    return Indexed(learnt.table, index, elements)


def _refused(folder: Path, found: str) -> InputError:
    return InputError(
        f"--index {folder}: cannot be used\nexpected  a folder that `w2v export` wrote of the vectors to be served\n"
        f"found     {found}\nWrite it again: w2v export {folder} --format usearch --force, with the same --run."
    )
