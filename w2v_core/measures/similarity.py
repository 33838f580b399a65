"""What vectors are asked: how alike two words are, which are nearest, what completes an analogy, what does not match.

    similarity(a, b) = cos(a, b) = â·b̂                    x̂ is x at length one
    a : b :: c : ?     3CosAdd  argmax_d  cos(d, b̂ − â + ĉ)
                       3CosMul  argmax_d  cos(d, b) · cos(d, c) / (cos(d, a) + ε),   cosines shifted to 0 … 1

The words of a question are never its answer.

Shapes   V words, D vector size, Q questions at once, k answers to each, N ≤ V candidates: the most frequent words.
Source   3CosAdd: Mikolov et al. 2013 (arXiv:1301.3781); 3CosMul: Levy & Goldberg 2014 (CoNLL), ε = 0.001.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2v_core.sparse import Floats, Integers

ELEMENTS = 1 << 22  # scores held at a time
PART = 256  # scores of which the highest is sought at first
EPSILON = 1e-3


class Answers(NamedTuple):
    """Best first; fewer than k where there are not more words to choose from."""

    word: NDArray[np.intp]  # (Q, k)
    score: Floats  # (Q, k)


class Vectors:
    """A table (V, D), which may be mapped from a file: no question copies it. A word without a vector (all zeros) is
    alike to nothing: its cosines are 0.
    """

    def __init__(self, table: Floats, elements: int = ELEMENTS) -> None:
        """At most so many scores, or those of one question, are held at a time."""
        self._table = np.asarray(table)  # a mapped file stays one
        self._elements = elements
        self._length = _length(self._table)

    @functools.cached_property
    def unit(self) -> Floats:
        """The whole table at length one: a copy."""
        return self.rows(slice(None))

    def rows(self, words: Integers | slice) -> Floats:
        """The vectors of these words at length one."""
        rows: Floats = self._table[words] / self._length[words, None]
        return rows

    def similarity(self, a: Integers, b: Integers) -> Floats:
        """Cosine of each pair of words, (Q,)."""
        cosine: Floats = np.einsum("qd,qd->q", self.rows(a), self.rows(b))
        return cosine

    def mean_cosine(self, candidates: int | None = None) -> float:
        """Over all pairs of different words: near 0 where they point everywhere, near 1 where all point one way.

        The sum over a ≠ b of â·b̂ is ‖Σ â‖² − Σ ‖â‖²: no pair has to be formed. There must be two words at least.
        """
        table = self.rows(slice(candidates)).astype(np.float64)
        whole, pairs = table.sum(axis=0), len(table) * (len(table) - 1)
        return float((whole @ whole - np.einsum("vd,vd->", table, table)) / pairs)

    def most_similar(self, word: Integers, k: int, candidates: int | None = None) -> Answers:
        return self.nearest(self.rows(word), word[:, None], k, candidates)

    def nearest(self, query: Floats, excluded: Integers, k: int, candidates: int | None = None) -> Answers:
        """The words nearest to each query vector (Q, D), without the excluded ones (Q, any)."""
        query = query / _length(query)[:, None]
        return _in_chunks(
            lambda part: self._cosines(query[part], candidates), excluded, k, len(self._length[:candidates]),
            self._elements,
        )  # fmt: skip

    def cos_add(self, a: Integers, b: Integers, c: Integers, k: int, candidates: int | None = None) -> Answers:
        """a : b :: c : ?, each (Q,)."""
        query = self.rows(b) - self.rows(a) + self.rows(c)
        return self.nearest(query, np.column_stack([a, b, c]), k, candidates)

    def cos_mul(self, a: Integers, b: Integers, c: Integers, k: int, candidates: int | None = None) -> Answers:
        """a : b :: c : ?, each (Q,)."""

        def scores(part: slice) -> Floats:
            to_a, to_b, to_c = ((1 + self._cosines(self.rows(words[part]), candidates)) / 2 for words in (a, b, c))
            product: Floats = to_b * to_c / (np.maximum(to_a, 0) + np.float32(EPSILON))
            return product

        return _in_chunks(scores, np.column_stack([a, b, c]), k, len(self._length[:candidates]), self._elements)

    def _cosines(self, query: Floats, candidates: int | None) -> Floats:
        """Of each query at length one (Q, D) with each candidate, (Q, N)."""
        cosines: Floats = query @ self._table[:candidates].T
        cosines /= self._length[:candidates]
        return cosines


def _length(table: Floats) -> Floats:
    """Of each row; 1 where it is all zeros, which stays so however it is divided."""
    length = np.sqrt(np.einsum("vd,vd->v", table, table))
    return np.where(length > 0, length, 1).astype(length.dtype)


def _in_chunks(
    scores: Callable[[slice], Floats], excluded: Integers, k: int, candidates: int, elements: int
) -> Answers:
    """The best answers to all questions, asked so many at a time that their scores (…, N) stay bounded."""
    step = max(1, elements // max(1, candidates))
    k = max(0, min(k, candidates - excluded.shape[1]))
    found = [_best(scores(slice(q, q + step)), excluded[q : q + step], k) for q in range(0, len(excluded), step)]
    if not found:
        return Answers(np.empty((0, k), np.intp), np.empty((0, k), np.float32))
    return Answers(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _best(scores: Floats, excluded: Integers, k: int) -> Answers:
    """Of equal scores, that of the more frequent word first.

    The k-th highest of the peaks of k parts or more is a mark that k scores reach at least, and few others: only these
    are sorted. (A partition of all scores takes twice as long as the product they come from.)
    """
    question, column = np.nonzero(excluded < scores.shape[1])
    scores[question, excluded[question, column]] = -np.inf
    if k == 0:
        return Answers(np.empty((len(scores), 0), np.intp), np.empty((len(scores), 0), scores.dtype))
    width = min(PART, scores.shape[1] // k)
    parts = scores[:, : scores.shape[1] // width * width].reshape(len(scores), -1, width)
    marks = np.partition(parts.max(axis=2), -k, axis=1)[:, -k]
    word = np.stack([_first(row, np.flatnonzero(row >= mark), k) for row, mark in zip(scores, marks, strict=True)])
    return Answers(word, np.take_along_axis(scores, word, axis=1))


def _first(scores: Floats, candidates: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    return candidates[np.argsort(-scores[candidates], kind="stable")[:k]]
