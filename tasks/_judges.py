"""The judges of word vectors: each gives a row for every item it asked about, and the figures that sum them up.

A word is sought as it is written, else in lower case. An item with an unknown word is a row too, but counts for
nothing but the coverage.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks import _contracts
from tasks._evaluation_sets import read_analogies, read_pairs, set_name
from tasks._parallel import ordered_map
from tasks._vectors import Vectors
from w2v_core import similarity
from w2v_core.scoring import Estimate, share, spearman

NEIGHBORS = 10
QUESTIONS = 1_024  # analogies answered in one step
Ids = NDArray[np.integer]
Ask = Callable[[Ids, Ids, Ids, int, int], similarity.Answers]


class Judged(NamedTuple):
    items: pa.Table
    figures: dict[str, float]


class Space:
    """The words and their vectors."""

    def __init__(self, learnt: Vectors) -> None:
        self.words = np.array([*learnt.words, None], dtype=object)  # row −1 is no word
        self.vectors = similarity.Vectors(learnt.table)
        self._ids = {word: row for row, word in enumerate(learnt.words)}

    def __len__(self) -> int:
        return len(self._ids)

    def id(self, word: str) -> int:
        """The word's row, −1 if it is unknown."""
        return self._ids.get(word, self._ids.get(word.lower(), -1))

    def ids(self, items: Sequence[Sequence[str]]) -> Ids:
        return np.array([[self.id(word) for word in words] for words in items])


def pairs(space: Space, file: str, resamples: int, *, rng: np.random.Generator) -> Judged:
    """Spearman's ρ of the cosines with people's scores."""
    name, asked = set_name(file), read_pairs(file)
    ids = space.ids([pair.words for pair in asked])
    covered = (ids >= 0).all(axis=1)
    target = np.array([pair.score for pair in asked])
    cosine = np.full(len(asked), np.nan)
    cosine[covered] = space.vectors.similarity(*ids[covered].T)

    estimate = spearman(target[covered], cosine[covered], resamples, rng=rng)
    figures = _figures("similarity", name, estimate) | {f"coverage/{name}": float(covered.mean())}
    items = [" ".join(pair.words) for pair in asked]
    about = {"judge": "similarity", "set": name, "item": items, "covered": covered}
    return Judged(_rows(len(asked), **about, target=target, score=cosine), figures)


def analogies(
    space: Space, file: str, candidates: int | None, resamples: int, threads: int, *, rng: np.random.Generator
) -> Judged:
    """The share answered right, by either method; all four words of a question must be among the candidates."""
    name, asked = set_name(file), read_analogies(file)
    known = min(candidates or len(space), len(space))
    ids = space.ids([analogy.words for analogy in asked])
    covered: NDArray[np.bool_] = np.all((ids >= 0) & (ids < known), axis=1)
    about = {
        "set": name,
        "section": [analogy.section for analogy in asked],
        "item": [" ".join(analogy.words[:3]) for analogy in asked],
        "expected": [analogy.words[3] for analogy in asked],
        "covered": covered,
    }
    tables, figures = [], {f"coverage/{name}": float(covered.mean())}
    for method, ask in {"3cosadd": space.vectors.cos_add, "3cosmul": space.vectors.cos_mul}.items():
        answer, score = _answers(ask, ids, covered, known, threads)
        right = (answer == ids[:, 3]) & covered
        figures |= _figures("analogy", f"{name}.{method}", share(right.sum(), covered.sum(), resamples, rng=rng))
        tables.append(_rows(len(asked), judge=method, **about, predicted=space.words[answer], right=right, score=score))
    return Judged(pa.concat_tables(tables), figures)


def neighbors(space: Space, probes: Sequence[str]) -> Judged:
    """The words nearest to each probe, nearest first; no figure says whether they make sense."""
    known = [word for word in probes if space.id(word) >= 0]
    unknown = [word for word in probes if space.id(word) < 0]
    ids = np.array([space.id(word) for word in known], np.int64)
    near = space.vectors.most_similar(ids, min(NEIGHBORS, len(space) - 1))
    found = {
        "item": np.repeat(np.array(known, object), near.word.shape[1]),
        "predicted": space.words[near.word.ravel()],
        "score": near.score.ravel(),
    }
    tables = [
        _rows(near.word.size, judge="neighbors", covered=True, **found),
        _rows(len(unknown), judge="neighbors", covered=False, item=unknown),
    ]
    return Judged(pa.concat_tables(tables), {})


def _answers(
    ask: Ask, ids: Ids, covered: NDArray[np.bool_], candidates: int, threads: int
) -> tuple[Ids, NDArray[np.float64]]:
    """The best answer to each covered question, with its score; −1 and NaN for the others."""
    answer, score = np.full(len(ids), -1), np.full(len(ids), np.nan)
    questions = ids[covered, :3]
    chunks = [questions[first : first + QUESTIONS] for first in range(0, len(questions), QUESTIONS)]
    found = list(ordered_map(lambda q: ask(q[:, 0], q[:, 1], q[:, 2], 1, candidates), chunks, threads))
    if found:
        answer[covered] = np.concatenate([each.word[:, 0] for each in found])
        score[covered] = np.concatenate([each.score[:, 0] for each in found])
    return answer, score


def _figures(group: str, name: str, estimate: Estimate | None) -> dict[str, float]:
    """One slash in each name: MLflow shows a group as one section of charts."""
    if estimate is None:
        return {}
    interval = {f"interval/{name}.low": estimate.low, f"interval/{name}.high": estimate.high}
    return {f"{group}/{name}": estimate.value, **interval}


def _rows(count: int, **columns: Any) -> pa.Table:
    """Rows of the evaluation dataset: a single value stands in every row, and what is not given or NaN is null."""
    schema = _contracts.EVALUATION.schema
    whole = {
        name: column if isinstance(column, list | np.ndarray) else [column] * count for name, column in columns.items()
    }
    missing = [None] * count
    return pa.table([pa.array(whole.get(f.name, missing), f.type, from_pandas=True) for f in schema], schema)
