"""The judges of word vectors: each returns a row for every item, in the order of its set.

A word is looked up as written, otherwise as the rules of its model normalise it. A word that was never seen has the
vector of its n-grams in pairs and as a probe, if the model has subwords; answers, and the words of other sets, are of
the vocabulary. An item with an unknown word has a row, but enters only the coverage.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.datasets import contracts
from tasks.engine.threads import ordered_map
from tasks.evaluation.datasets import Analogy, Pair
from tasks.text.normalization import Lookup
from tasks.tracking.names import MEAN_COSINE
from tasks.vectors.tables import WordVectors
from w2v_core.arrays import Floats
from w2v_core.measures import similarity

NEIGHBORS = 10
FREQUENT = 1_000  # words that are compared with each other
QUESTIONS = 1_024  # analogies per step
Ids = NDArray[np.integer]
Mask = NDArray[np.bool_]
Ask = Callable[[Ids, Ids, Ids, int, int], similarity.Answers]


class Query(NamedTuple):
    """Words with their vectors at length one, also words that were never seen, if there are n-grams of them."""

    row: Ids  # (Q,); the number of words for one that was never seen, −1 for one without a vector
    unit: Floats  # (Q, D)

    @property
    def known(self) -> Mask:
        """Return which of them have a vector, (Q,)."""
        return self.row >= 0


class Space:
    """The words and their vectors, with a lookup of words."""

    def __init__(self, learnt: WordVectors, elements: int = similarity.ELEMENTS) -> None:
        self.words = np.array([*learnt.words, None], dtype=object)  # row −1 stands for no word
        self.vectors = similarity.Vectors(learnt.table, elements)
        self.lookup = Lookup(learnt.words, learnt.rules)
        self.subwords = learnt.subwords

    def __len__(self) -> int:
        return len(self.lookup.ids)

    def rows(self, words: Sequence[str]) -> Ids:
        """Return the row of each word, −1 if it is unknown."""
        return np.array(self.lookup.rows(words), np.int64)

    def query(self, words: Sequence[str]) -> Query:
        """Return rows and vectors of the words; one that was never seen gets the vector of its n-grams."""
        row = self.rows(words)
        unit = self.vectors.rows(np.maximum(row, 0))
        if self.subwords and (row < 0).any():
            unseen = np.flatnonzero(row < 0).tolist()
            made = self.made([words[place] for place in unseen])
            length = np.linalg.norm(made, axis=1)
            unit[unseen] = made / np.where(length > 0, length, 1)[:, None]
            row[np.array(unseen)[length > 0]] = len(self)
        return Query(row, unit)

    def made(self, words: Sequence[str]) -> Floats:
        """Return the vectors (Q, D) that n-grams make of words as the rules write them; zeros for one that has none."""
        assert self.subwords
        forms = self.lookup.forms(words)
        one = [place for place, form in enumerate(forms) if len(form) == 1]
        vectors = np.zeros((len(words), self.subwords.table.shape[1]), np.float32)
        vectors[one] = self.subwords.of([forms[place][0] for place in one])
        return vectors

    def ids(self, items: Sequence[Sequence[str]]) -> Ids:
        """Return the rows of the words of each item; all items have the same number of words."""
        words = list(dict.fromkeys(word for item in items for word in item))
        rows = dict(zip(words, self.lookup.rows(words), strict=True))
        return np.array([[rows[word] for word in item] for item in items])


def pairs(space: Space, name: str, asked: Sequence[Pair]) -> pa.Table:
    """Return the cosine of each pair beside its human score; words that were never seen are judged by their n-grams."""
    words = list(dict.fromkeys(word for pair in asked for word in pair.words))
    query, place = space.query(words), {word: number for number, word in enumerate(words)}
    at = np.array([[place[word] for word in pair.words] for pair in asked])
    ids = query.row[at]
    covered: Mask = np.all(ids >= 0, axis=1)
    cosine = np.full(len(asked), np.nan)
    cosine[covered] = np.einsum("qd,qd->q", *query.unit[at[covered].T])
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
    query = space.query(probes)
    known = [word for word, there in zip(probes, query.known, strict=True) if there]
    unknown = [word for word, there in zip(probes, query.known, strict=True) if not there]
    row, unit = query.row[query.known], query.unit[query.known]
    near = space.vectors.nearest(unit, row[:, None], min(NEIGHBORS, len(space) - 1))
    found = {
        "item": np.repeat(np.array(known, object), near.word.shape[1]),
        "predicted": space.words[near.word.ravel()],
        "score": near.score.ravel(),
    }
    return pa.concat_tables(
        [
            rows(judge="neighbors", covered=np.ones(near.word.size, bool), **found),
            rows(judge="neighbors", covered=np.zeros(len(unknown), bool), item=unknown),
        ]
    )


def ranks(ids: Ids) -> NDArray[np.float64]:
    """Return the rank of each item's rarest word, that of no word for one never seen; NaN if one is unknown."""
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
