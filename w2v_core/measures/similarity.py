"""Questions to vectors: how similar two words are, which words are nearest, which word completes an analogy.

    similarity(a, b) = cos(a, b) = â·b̂                    x̂ is x at length one
    a : b :: c : ?     3CosAdd  argmax_d  cos(d, b̂ − â + ĉ)
                       3CosMul  argmax_d  cos(d, b) · cos(d, c) / (cos(d, a) + ε),   cosines shifted to 0 … 1

The words of a question are never its answer.

Shapes   V words, D vector size, Q questions at once, k answers to each, N ≤ V candidates: the most frequent words.
Source   3CosAdd: Mikolov et al. 2013a (arXiv:1301.3781); its name and 3CosMul: Levy & Goldberg 2014b (CoNLL), where
         ε = 0.001.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Floats, Integers

ELEMENTS = 1 << 22  # scores held at a time
PART = 256  # scores in a part: the search for the best begins with the highest score of each part
EPSILON = 1e-3


class Answers(NamedTuple):
    """The answers to Q questions, best first; fewer than k where there are not enough candidates."""

    word: NDArray[np.intp]  # (Q, k)
    score: Floats  # (Q, k)


class Vectors:
    """A table of vectors (V, D) to be asked. It may be mapped from a file: no question copies it.

    A word without a vector (all zeros) is similar to nothing: its cosines are 0.
    """

    def __init__(self, table: Floats, elements: int = ELEMENTS) -> None:
        """Hold at most `elements` scores at a time, or those of one question if they are more."""
        self._table = np.asarray(table)  # a mapped file stays mapped
        self._elements = elements
        self._length = _length(self._table)

    @functools.cached_property
    def unit(self) -> Floats:
        """Return the whole table at length one, (V, D): a copy, made once."""
        return self.rows(slice(None))

    def rows(self, words: Integers | slice) -> Floats:
        """Return the vectors of these words at length one, (…, D)."""
        rows: Floats = self._table[words] / self._length[words, None]
        return rows

    def similarity(self, a: Integers, b: Integers) -> Floats:
        """Return the cosine of each pair of words, (Q,); a and b are (Q,) too."""
        cosine: Floats = np.einsum("qd,qd->q", self.rows(a), self.rows(b))
        return cosine

    def mean_cosine(self, candidates: int | None = None) -> float:
        """Return the mean cosine over all pairs of different words, of which there must be at least two.

        It is near 0 where vectors point everywhere, and near 1 where all point the same way.
        """
        # Σ over a ≠ b of â·b̂ = ‖Σ â‖² − Σ ‖â‖²: no pair has to be formed.
        table = self.rows(slice(candidates)).astype(np.float64)
        whole, pairs = table.sum(axis=0), len(table) * (len(table) - 1)
        return float((whole @ whole - np.einsum("vd,vd->", table, table)) / pairs)

    def most_similar(self, word: Integers, k: int, candidates: int | None = None) -> Answers:
        """Return the k words nearest to each word (Q,), among the `candidates` first words; by default among all."""
        return self.nearest(self.rows(word), word[:, None], k, candidates)

    def nearest(self, query: Floats, excluded: Integers, k: int, candidates: int | None = None) -> Answers:
        """Return the k words nearest to each query vector (Q, D), without the excluded words (Q, any)."""
        query = query / _length(query)[:, None]
        return _in_chunks(
            lambda part: self._cosines(query[part], candidates),
            excluded,
            k,
            len(self._length[:candidates]),
            self._elements,
        )

    def ranked(self, query: Floats, found: Answers, k: int) -> Answers:
        """Return the k best of the answers found to each query (Q, D), with cosines of the same bits for any Q.

        A product of matrices adds in an order that depends on their sizes, so the last bit of its cosines does, too.
        """
        query = query / _length(query)[:, None]
        words = np.sort(found.word, axis=1)  # of equal cosines the more frequent word comes first
        score = np.array([np.einsum("kd,d->k", self.rows(row), unit) for row, unit in zip(words, query, strict=True)])
        best = np.argsort(-score.reshape(words.shape), kind="stable")[:, :k]
        return Answers(*(np.take_along_axis(column, best, axis=1) for column in (words, score.reshape(words.shape))))

    def cos_add(self, a: Integers, b: Integers, c: Integers, k: int, candidates: int | None = None) -> Answers:
        """Return the k best answers by 3CosAdd to a : b :: c : ?, each (Q,)."""
        # argmax cos(d, b̂ − â + ĉ) is a nearest-neighbour search: the offset from a to b, taken from c.
        query = self.rows(b) - self.rows(a) + self.rows(c)
        return self.nearest(query, np.column_stack([a, b, c]), k, candidates)

    def cos_mul(self, a: Integers, b: Integers, c: Integers, k: int, candidates: int | None = None) -> Answers:
        """Return the k best answers by 3CosMul to a : b :: c : ?, each (Q,)."""

        # A product, so that one large similarity cannot outvote two small ones as it can in the sum of 3CosAdd.
        # Cosines are shifted to 0 … 1, since a product of two negative ones would count as similar.
        def scores(part: slice) -> Floats:
            to_a, to_b, to_c = ((1 + self._cosines(self.rows(words[part]), candidates)) / 2 for words in (a, b, c))
            product: Floats = to_b * to_c / (np.maximum(to_a, 0) + np.float32(EPSILON))
            return product

        return _in_chunks(scores, np.column_stack([a, b, c]), k, len(self._length[:candidates]), self._elements)

    def _cosines(self, query: Floats, candidates: int | None) -> Floats:
        """Return the cosine of each query at length one (Q, D) with each candidate, (Q, N)."""
        # Divide the scores by the candidates' lengths, not the table: a mapped table is not copied.
        cosines: Floats = query @ self._table[:candidates].T
        cosines /= self._length[:candidates]
        return cosines


def _length(table: Floats) -> Floats:
    """Return the length of each row, (V,); 1 for a row of zeros, which may then be divided by it."""
    length = np.sqrt(np.einsum("vd,vd->v", table, table))
    return np.where(length > 0, length, 1).astype(length.dtype)


def _in_chunks(
    scores: Callable[[slice], Floats], excluded: Integers, k: int, candidates: int, elements: int
) -> Answers:
    """Return the best answers to all questions, asked in chunks whose scores (…, N) number at most `elements`."""
    step = max(1, elements // max(1, candidates))
    k = max(0, min(k, candidates - excluded.shape[1]))
    found = [_best(scores(slice(q, q + step)), excluded[q : q + step], k) for q in range(0, len(excluded), step)]
    if not found:
        return Answers(np.empty((0, k), np.intp), np.empty((0, k), np.float32))
    return Answers(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _best(scores: Floats, excluded: Integers, k: int) -> Answers:
    """Return the k best of scores (…, N), of equals the more frequent word first; overwrites excluded scores."""
    # The words of the question, where they are candidates, can no longer win.
    question, column = np.nonzero(excluded < scores.shape[1])
    scores[question, excluded[question, column]] = -np.inf
    if k == 0:
        return Answers(np.empty((len(scores), 0), np.intp), np.empty((len(scores), 0), scores.dtype))
    # Cut the scores into k parts or more. The k-th highest of the parts' peaks is a mark that at least k scores reach,
    # and few others do: only these are sorted. (Partitioning all scores takes twice as long as their product did.)
    width = min(PART, scores.shape[1] // k)
    parts = scores[:, : scores.shape[1] // width * width].reshape(len(scores), -1, width)
    marks = np.partition(parts.max(axis=2), -k, axis=1)[:, -k]
    word = np.stack([_first(row, np.flatnonzero(row >= mark), k) for row, mark in zip(scores, marks, strict=True)])
    return Answers(word, np.take_along_axis(scores, word, axis=1))


def _first(scores: Floats, candidates: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    """Return the k candidates with the highest scores, best first; of equal scores the earlier candidate."""
    return candidates[np.argsort(-scores[candidates], kind="stable")[:k]]
