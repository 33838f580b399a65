"""The seam between an architecture and an objective: hidden vectors, and the words to be predicted from them.

    windows ──architecture──► hidden (B, D), pairs (row, target) ──objective──► loss, gradients

An architecture says how a hidden vector is put together from input vectors, and which words it should predict; an
objective says what a prediction costs. Neither knows the other, so adding a file adds a row or a column of

                   softmax   negative sampling   hierarchical softmax
    skip-gram         ·              ·                    ·
    CBOW              ·              ·                    ·

Shapes   B windows in the batch, P pairs, D vector size, V vocabulary. `row` never decreases.
Names    d_x is the gradient of the summed loss with respect to x.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from w2v_core.sparse import Floats, Integers, Rows
from w2v_core.windows import Windows


class Mixture(NamedTuple):
    """hidden[b] = Σ weight · input[word], over the entries with row = b."""

    row: Integers
    word: Integers
    weight: NDArray[np.float64]


class Problems(NamedTuple):
    """From hidden[row[p]], predict the word target[p]."""

    size: int  # B hidden vectors
    mixture: Mixture
    row: Integers  # (P,)
    target: Integers  # (P,)


class Gradients(NamedTuple):
    """Of the summed loss of the pairs."""

    loss: NDArray[np.float64]  # (P,) of each pair
    d_hidden: Floats  # (B, D)
    terms: Floats | Integers  # (B,) how many terms of the loss each hidden vector takes part in
    d_output: Rows


class Architecture(Protocol):
    def __call__(self, windows: Windows, rows: Integers) -> Problems: ...


class Distribution(Protocol):
    """Probabilities over the vocabulary that sum to one."""

    def loss(self, hidden: Floats, row: Integers, target: Integers, output: Floats) -> NDArray[np.float64]:
        """−log P(target[p] | hidden[row[p]]), (P,)."""
        ...


class Objective(Protocol):
    outputs_are_words: bool  # else they are nodes of a tree

    def gradients(
        self, hidden: Floats, row: Integers, target: Integers, output: Floats, *, rng: np.random.Generator
    ) -> Gradients: ...

    def distribution(self) -> Distribution:
        """The distribution that a model trained by this objective stands for; J(θ) is measured with it."""
        ...
