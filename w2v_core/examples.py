"""The interface between an architecture and an objective: hidden vectors, and the words to predict from them.

    windows ──architecture──► hidden (B, D), pairs (row, target) ──objective──► loss, gradients

An architecture defines how a hidden vector is mixed from input vectors, and which words it should predict. An
objective defines what a prediction costs. Neither knows the other, so a new file adds a row or a column of

                   softmax   negative sampling   hierarchical softmax
    skip-gram         ·              ·                    ·
    CBOW              ·              ·                    ·

Shapes   B windows in the batch, P pairs, M entries of the mixture, D vector size, V vocabulary size.
         `row` never decreases, in mixtures and in pairs.
Names    d_x is the gradient of the summed loss with respect to x.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Floats, Integers
from w2v_core.sparse import Rows
from w2v_core.windows import Windows


class Mixture(NamedTuple):
    """How hidden vectors are formed: hidden[b] = Σ weight · input[word], over the entries with row = b."""

    row: Integers  # (M,)
    word: Integers  # (M,)
    weight: NDArray[np.float64]  # (M,)


class Problems(NamedTuple):
    """The predictions of a batch: pair p predicts the word target[p] from hidden[row[p]]."""

    size: int  # B hidden vectors
    mixture: Mixture
    row: Integers  # (P,)
    target: Integers  # (P,)


class Gradients(NamedTuple):
    """Gradients of the summed loss of the pairs."""

    loss: NDArray[np.float64]  # (P,) of each pair, in nats
    d_hidden: Floats  # (B, D)
    terms: Floats | Integers  # (B,) how many terms of the loss each hidden vector takes part in
    d_output: Rows  # of the output table (V, D)


class Architecture(Protocol):
    """Skip-gram or CBOW."""

    def __call__(self, windows: Windows, rows: Integers) -> Problems:
        """Return the predictions of the windows at `rows` (B,)."""
        ...


class Distribution(Protocol):
    """Probabilities over the vocabulary that sum to one."""

    def loss(self, hidden: Floats, row: Integers, target: Integers, output: Floats) -> NDArray[np.float64]:
        """Return −log P(target[p] | hidden[row[p]]) of each pair, (P,), in nats and float64."""
        ...


class Objective(Protocol):
    """A loss of pairs, with its gradients."""

    outputs_are_words: bool  # false if the output vectors belong to inner nodes of a tree

    def gradients(
        self, hidden: Floats, row: Integers, target: Integers, output: Floats, *, rng: np.random.Generator
    ) -> Gradients:
        """Return loss and gradients of the pairs (row, target), each (P,), given hidden (B, D) and output (V, D)."""
        ...

    def distribution(self) -> Distribution:
        """Return the distribution that a model trained by this objective stands for; J(θ) is measured with it."""
        ...
