"""The model θ: two vectors for each word of the vocabulary.

Shapes   V words, D vector size; θ is (V, 2, D), so that the two vectors of a word lie side by side.
Names    Mikolov's *input* and *output* vectors. The input vectors are the ones that are kept and compared.

                              input (V, D)                            output (V, D)
           skip-gram          v, the word as a center                 u, the word as a context
           CBOW               the word as a context, averaged         the word as a center
           hierarchical       as above                                row i is inner node i of the tree;
           softmax                                                    the last row is not used
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from w2v_core.sparse import Floats


class Model(NamedTuple):
    theta: Floats  # (V, 2, D)

    @property
    def input(self) -> Floats:
        return self.theta[:, 0]

    @property
    def output(self) -> Floats:
        return self.theta[:, 1]


class Inherited(NamedTuple):
    """What became of the words of an earlier model."""

    kept: int
    new: int
    dropped: int


def initial(words: int, vector_size: int, *, rng: np.random.Generator) -> Model:
    """Input vectors uniform within ±0.4/√D, output vectors zero: every score is 0, every word as likely as any other.

    So each is about 0.23 long. From shorter ones (±0.5/D in word2vec.c) all words first learn the same, how frequent
    words are, and are late to part: docs/explanation/decisions.md.
    """
    theta = np.zeros((words, 2, vector_size), np.float32)
    theta[:, 0] = (2 * rng.random((words, vector_size), dtype=np.float32) - 1) * np.float32(0.4 / vector_size**0.5)
    return Model(theta)


def warm(
    words: Sequence[str], old_words: Sequence[str], old: Model, *, outputs_are_words: bool, rng: np.random.Generator
) -> tuple[Model, Inherited]:
    """A model of `words` that starts from an earlier one: vectors follow their word, new words begin as in `initial`.

    The output vectors of hierarchical softmax belong to nodes of a tree that new counts have rebuilt: they start at 0.
    """
    model = initial(len(words), old.theta.shape[2], rng=rng)
    row_of = {word: row for row, word in enumerate(old_words)}
    old_row = np.array([row_of.get(word, -1) for word in words], np.intp)
    known = np.flatnonzero(old_row >= 0)
    model.input[known] = old.input[old_row[known]]
    if outputs_are_words:
        model.output[known] = old.output[old_row[known]]
    return model, Inherited(len(known), len(words) - len(known), len(old_words) - len(known))
