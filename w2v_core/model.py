"""The model θ: two vectors for each word of the vocabulary.

Shapes   V words, D vector size; θ is (V, 2, D), so that the two vectors of a word lie side by side in memory.
Names    Mikolov's *input* and *output* vectors. The input vectors are the ones that are published and compared.

With `parts`, the row of a word in the input table is but a part of its vector: the other parts are the rows of its
n-grams (subwords.py). What publishes or judges a model asks it for the whole vectors first (`composed`).

                              input (V, D)                            output (V, D)
           skip-gram          v, the word as a center                 u, the word as a context
           CBOW               the word as a context, averaged         the word as a center
           hierarchical       as above                                row i is inner node i of the tree;
           softmax                                                    the last row is not used
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from w2v_core.arrays import Floats
from w2v_core.subwords import Parts, sums


class Model(NamedTuple):
    """The table θ of both vectors of every word."""

    theta: Floats  # (V, 2, D)
    parts: Parts | None = None  # the n-grams of the words, if vectors are made of these too

    @property
    def input(self) -> Floats:
        """Return the input vectors (V, D), a view: writing to it changes θ."""
        return self.theta[:, 0]

    @property
    def output(self) -> Floats:
        """Return the output vectors (V, D), a view: writing to it changes θ."""
        return self.theta[:, 1]

    @property
    def finite(self) -> bool:
        """Return True if all its numbers are finite."""
        with np.errstate(invalid="ignore"):  # one number that is not finite makes the sum so
            return bool(np.isfinite(self.theta.sum()) and (self.parts is None or np.isfinite(self.parts.table.sum())))

    def composed(self) -> "Model":
        """Return a model without parts, whose input vectors are the words' own: the mean of each word's rows."""
        if self.parts is None:
            return self
        theta = self.theta.copy()
        theta[:, 0] += sums(self.parts.table, self.parts.start, self.parts.row)
        theta[:, 0] /= self.parts.size[:, None]
        return Model(theta)


class Inherited(NamedTuple):
    """Numbers of words of a warm start: in both vocabularies, in the new one only, in the old one only."""

    kept: int
    new: int
    dropped: int


def initial(words: int, vector_size: int, *, rng: np.random.Generator) -> Model:
    """Return a new model: input vectors uniform within ±0.4/√D, output vectors zero.

    Every score is then 0, and every word as likely as any other. An input vector is about 0.23 long. Shorter ones
    (±0.5/D in word2vec.c) all learn how frequent words are first, and separate late: docs/explanation/decisions.md.
    """
    # One coordinate has the standard deviation 0.4/√(3D), so D of them make a length of 0.4/√3 ≈ 0.23, whatever D is.
    theta = np.zeros((words, 2, vector_size), np.float32)
    theta[:, 0] = (2 * rng.random((words, vector_size), dtype=np.float32) - 1) * np.float32(0.4 / vector_size**0.5)
    return Model(theta)


def with_parts(model: Model, parts: Parts, *, rng: np.random.Generator) -> Model:
    """Return the new model with n-grams whose rows, zeros so far, begin at random: they become those of `parts`."""
    vector_size = parts.table.shape[1]
    parts.table[:] = (2 * rng.random(parts.table.shape, dtype=np.float32) - 1) * np.float32(0.4 / vector_size**0.5)
    return Model(model.theta, parts)


def warm(
    words: Sequence[str], old_words: Sequence[str], old: Model, *, outputs_are_words: bool, rng: np.random.Generator
) -> tuple[Model, Inherited]:
    """Return a model of `words` that starts from the earlier model `old` of `old_words`, and how many words it took.

    A word of both keeps its vectors; a new word starts as in `initial`. With `outputs_are_words` false (hierarchical
    softmax) the output vectors belong to nodes of a tree that the new counts rebuild, so they start at zero.
    """
    model = initial(len(words), old.theta.shape[2], rng=rng)
    # The two vocabularies are ordered by different counts, so vectors are matched by word, not by row.
    row_of = {word: row for row, word in enumerate(old_words)}
    old_row = np.array([row_of.get(word, -1) for word in words], np.intp)
    known = np.flatnonzero(old_row >= 0)
    model.input[known] = old.input[old_row[known]]
    if outputs_are_words:
        model.output[known] = old.output[old_row[known]]
    return model, Inherited(len(known), len(words) - len(known), len(old_words) - len(known))
