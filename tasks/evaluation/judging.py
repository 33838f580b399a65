"""The judges of word vectors: each returns a row for every item, in the order of its set.

A word is looked up as written, otherwise as the rules of its model normalise it. An item with an unknown word has a
row, but enters only the coverage.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.datasets import contracts
from tasks.engine.threads import ordered_map
from tasks.evaluation.datasets import Analogy, Pair
from tasks.text.normalization import Lookup
from tasks.tracking.names import MEAN_COSINE
from tasks.vectors.tables import WordVectors
from w2v_core.measures import similarity

NEIGHBORS = 10
FREQUENT = 1_000  # words that are compared with each other
QUESTIONS = 1_024  # analogies per step
Ids = NDArray[np.integer]
Mask = NDArray[np.bool_]
Ask = Callable[[Ids, Ids, Ids, int, int], similarity.Answers]


class Space:
    """The words and their vectors, with a lookup of words."""

    def __init__(self, learnt: WordVectors, elements: int = similarity.ELEMENTS) -> None:
        self.words = np.array([*learnt.words, None], dtype=object)  # row −1 stands for no word
        self.vectors = similarity.Vectors(learnt.table, elements)
        self.lookup = Lookup(learnt.words, learnt.rules)

    def __len__(self) -> int:
        return len(self.lookup.ids)

    def rows(self, words: Sequence[str]) -> Ids:
        """Return the row of each word, −1 if it is unknown."""
        return np.array(self.lookup.rows(words), np.int64)

    def ids(self, items: Sequence[Sequence[str]]) -> Ids:
        """Return the rows of the words of each item; all items have the same number of words."""
        words = list(dict.fromkeys(word for item in items for word in item))
        rows = dict(zip(words, self.lookup.rows(words), strict=True))
        return np.array([[rows[word] for word in item] for item in items])


def pairs(space: Space, name: str, asked: Sequence[Pair]) -> pa.Table:
    """Return the cosine of each pair beside its human score."""
    ids = space.ids([pair.words for pair in asked])
    covered: Mask = np.all(ids >= 0, axis=1)
    cosine = np.full(len(asked), np.nan)
    cosine[covered] = space.vectors.similarity(*ids[covered].T)
    found: dict[str, Any] = {"item": [" ".join(pair.words) for pair in asked], "target": [pair.score for pair in asked]}
    return rows(judge="similarity", set=name, covered=covered, rank=ranks(ids), **found, score=cosine)


def analogies(space: Space, name: str, asked: Sequence[Analogy], candidates: int | None, threads: int) -> pa.Table:
    """Return the answers by both methods; all four words of a question must be among the `candidates` first words."""
    known = min(candidates or len(space), len(space))
    ids = space.ids([analogy.words for analogy in asked])
    covered: Mask = np.all((ids >= 0) & (ids < known), axis=1)
    about: dict[str, Any] = {
        "set": name,
        "section": [analogy.section for analogy in asked],
        "item": [" ".join(analogy.words[:3]) for analogy in asked],
        "expected": [analogy.words[3] for analogy in asked],
        "covered": covered,
        "rank": ranks(ids),
    }
    tables = []
    for method, ask in {"3cosadd": space.vectors.cos_add, "3cosmul": space.vectors.cos_mul}.items():
        answer, score = _answers(ask, ids, covered, known, threads)
        right = (answer == ids[:, 3]) & covered
        tables.append(rows(judge=method, **about, predicted=space.words[answer], right=right, score=score))
    return pa.concat_tables(tables)


def neighbors(space: Space, probes: Sequence[str]) -> pa.Table:
    """Return the words nearest to each probe, nearest first; they enter no score."""
    rows_of = space.rows(probes)
    known = [word for word, row in zip(probes, rows_of, strict=True) if row >= 0]
    unknown = [word for word, row in zip(probes, rows_of, strict=True) if row < 0]
    ids = rows_of[rows_of >= 0]
    near = space.vectors.most_similar(ids, min(NEIGHBORS, len(space) - 1))
    found = {
        "item": np.repeat(np.array(known, object), near.word.shape[1]),
        "predicted": space.words[near.word.ravel()],
        "score": near.score.ravel(),
    }
    return pa.concat_tables([
        rows(judge="neighbors", covered=np.ones(near.word.size, bool), **found),
        rows(judge="neighbors", covered=np.zeros(len(unknown), bool), item=unknown),
    ])  # fmt: skip


def ranks(ids: Ids) -> NDArray[np.float64]:
    """Return the rank of each item's rarest word; NaN if one of its words is unknown."""
    return np.where((ids >= 0).all(axis=1), ids.max(axis=1, initial=0), np.nan)


def spread(space: Space) -> dict[str, float]:
    """Return the mean cosine of frequent words, near 1 if they have collapsed; empty for a single word."""
    return {MEAN_COSINE: space.vectors.mean_cosine(FREQUENT)} if len(space) > 1 else {}


def _answers(ask: Ask, ids: Ids, covered: Mask, candidates: int, threads: int) -> tuple[Ids, NDArray[np.float64]]:
    """Return the best answer to each covered question, and its score; −1 and NaN for the others."""
    answer, score = np.full(len(ids), -1), np.full(len(ids), np.nan)
    questions = ids[covered, :3]
    chunks = [questions[first : first + QUESTIONS] for first in range(0, len(questions), QUESTIONS)]
    found = list(ordered_map(lambda q: ask(q[:, 0], q[:, 1], q[:, 2], 1, candidates), chunks, threads))
    if found:
        answer[covered] = np.concatenate([each.word[:, 0] for each in found])
        score[covered] = np.concatenate([each.score[:, 0] for each in found])
    return answer, score


def rows(covered: Mask, **columns: Any) -> pa.Table:
    """Return rows of the evaluation dataset: a scalar is repeated in every row; missing columns and NaN are null."""
    schema, missing = contracts.EVALUATION.schema, [None] * len(covered)
    whole = {
        name: column if isinstance(column, list | np.ndarray) else [column] * len(covered)
        for name, column in {**columns, "covered": covered}.items()
    }
    return pa.table([pa.array(whole.get(f.name, missing), f.type, from_pandas=True) for f in schema], schema)
