"""Binary decisions as matrix products: the fast path of negative sampling and of hierarchical softmax.

Both objectives are sums of yes-or-no questions to a hidden vector h about rows z of the output table, each answered yes
with probability σ(z·h). A block is T consecutive windows. All its questions are one small matrix product S = Z·Hᵀ of
the windows' hidden vectors H (T, D) and the candidates Z (N, D), the rows that any of the windows asks about. Each
question has two weights: w⁺, how often its true answer is yes, and w⁻, how often it is no.

    loss = −Σ w⁺ · log σ(S) + w⁻ · log σ(−S)                      w = w⁺ + w⁻      σ(x) = 1 / (1 + e^−x)
    d_S  = w · σ(S) − w⁺                                          d_Z = d_S·H      d_H = d_Sᵀ·Z

                  sources X                           hidden vectors H             words to be predicted
    skip-gram     v of the T words                    X                            the T + 2m words around, where
                                                                                   they are in the context
    CBOW          v of the T + 2m words around        reachᵀ·X, the mean or sum    the T words, each from its own
                                                      of each window's context     context

The objective decides which rows are candidates, and their weights: negative_sampling.py, hierarchical_softmax.py.

A mini-batch is a stack of blocks. All gradients of a row are computed at the same stale value. Where its n steps of
rate η would add up to more than `damping` times their mean, they are scaled down to that, so that the sum does not
overshoot (sparse.descend).

Shapes   V words, D vector size, T windows in a block, B blocks in the batch, m the largest radius, N candidates,
         R rows of θ that a block uses: the sources, then the candidates.
Source   Objectives: Mikolov et al. 2013b (arXiv:1310.4546). Windows that share noise words, so that a batch becomes
         matrix products: Ji et al. 2016 (arXiv:1604.04661).
"""

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from w2v_core.fast.adding import Floats, Places, add_rows
from w2v_core.fast.composition import Composition
from w2v_core.fast.shard import Integers, Shard
from w2v_core.model import Model
from w2v_core.training import Settings

PACKING = {"Haswell", "Zen"}  # kernels of OpenBLAS


class Batch(NamedTuple):
    """One mini-batch: B blocks of those that `begin` was given, and the rate of their update."""

    number: int
    at: slice
    learning_rate: float
    measured: bool  # whether its loss is computed


class Blocks(ABC):
    """The workspace of one batch, allocated once: rows and weights, gathered vectors, scores and gradients.

    `begin` takes the blocks of many batches. Each of these goes through gather, multiply and update, in this order.
    """

    random_order = False  # whether the blocks of a shard are shuffled; otherwise a batch takes consecutive ones
    row: Places  # (B, R) of the table
    terms: Floats  # (B, R) how many terms of the loss each of them takes part in
    reach: Floats  # (B, T + 2m, T): 1 where a word is in a window's context, 1/n of n words for the mean of CBOW

    def __init__(self, settings: Settings, model: Model, fixed: NDArray[np.bool_], candidates: int) -> None:
        """Allocate room for at most `candidates` a block; `fixed` (2V,) rows of the table stay as they are."""
        assert settings.batch_size != "full"
        assert model.theta.dtype == np.float32
        assert model.theta.flags.c_contiguous  # else the table below would be a copy
        self.settings = settings
        self.length = min(settings.block_length, settings.batch_size)
        self.blocks = settings.batch_size // self.length
        # word w is row 2w of the table as input vector, and row 2w + 1 as output vector
        self.table = model.theta.reshape(-1, model.theta.shape[2])
        self.fixed = fixed if fixed.any() else None
        self.total = np.zeros(len(self.table), np.float32)  # terms of each row of the table; 0 between batches

        # Skip-gram reads T input vectors to predict the T + 2m words around; CBOW reads T + 2m to predict T.
        self.skip_gram = settings.architecture == "skip_gram"
        self.around = self.length + 2 * settings.window
        self.sources, self.true = (self.length, self.around) if self.skip_gram else (self.around, self.length)
        rows, size = self.sources + candidates, self.table.shape[1]
        # Flat buffers for the largest batch; `shape` takes of each what a batch needs.
        self._vector, self._gradient = np.zeros((2, self.blocks * rows * size), np.float32)
        self._scores = np.zeros(self.blocks * candidates * self.length, np.float32)
        self._hidden, self._turned = np.zeros((2, self.blocks * self.length * size), np.float32)
        self.across = reads_across()
        self._place = np.arange(self.blocks * rows)
        self.composition = Composition(model.parts, self.blocks * self.sources, size) if model.parts else None
        self.pairs, self.loss = 0, 0.0  # of the batches that were measured

    @abstractmethod
    def draw(self, sets: int, *, rng: np.random.Generator) -> Integers:
        """Draw the noise words of `sets` blocks, (sets, K) rows of the table."""

    @abstractmethod
    def begin(self, stack: Shard, noise: Integers) -> None:
        """Take the blocks of the coming batches, each with its noise words; compute what is the same for all."""

    @abstractmethod
    def prepare(self, batch: Batch) -> int:
        """Lay out the rows, their terms and the weights of a batch; return the number of its predictions."""

    @abstractmethod
    def answer(self, scores: Floats) -> None:
        """Replace S, (B, N, T), by w · σ(S) − w⁺, in place: the gradient by S."""

    @abstractmethod
    def loss_of(self, scores: Floats) -> float:
        """Return −Σ w⁺ · log σ(S) + w⁻ · log σ(−S), in nats; its terms are exact to float32 and summed in float64."""

    def measured(self) -> tuple[int, float]:
        """Return pairs and summed loss of the batches measured since the last call."""
        found, self.pairs, self.loss = (self.pairs, self.loss), 0, 0.0
        return found

    def gather(self, batch: Batch) -> None:
        """Copy all rows of the table that a batch reads; later updates of other batches do not affect it."""
        self.batch, self.used = batch, batch.at.stop - batch.at.start
        self.pairs += self.prepare(batch) * batch.measured
        # Without gaps between blocks, as `take` requires.
        shape = (*self.row.shape, self.table.shape[1])
        self.vector, self.gradient = front(self._vector, shape), front(self._gradient, shape)
        self.table.take(self.row, axis=0, out=self.vector, mode="clip")
        if self.composition:
            self.composition.form(batch.at.start, self.vector[:, : self.sources], self.table)

    def multiply(self) -> None:
        """Compute the scores of the blocks, the loss if it is measured, and the gradients."""
        source, candidate = self.vector[:, : self.sources], self.vector[:, self.sources :]
        d_source, d_candidate = self.gradient[:, : self.sources], self.gradient[:, self.sources :]
        if self.skip_gram:
            hidden, d_hidden = source, d_source
        else:
            reach = self.reach[: self.used]
            # One buffer for H and d_H: H is no longer needed when d_H is written.
            hidden = d_hidden = front(self._hidden, (self.used, self.length, source.shape[2]))
            np.matmul(reach.transpose(0, 2, 1), source, out=hidden)  # H = reachᵀ·X

        # S = Z·Hᵀ
        turned = hidden.transpose(0, 2, 1)
        if not self.across:
            lying = front(self._turned, turned.shape)
            np.copyto(lying, turned)
            turned = lying
        scores = front(self._scores, (self.used, candidate.shape[1], self.length))
        np.matmul(candidate, turned, out=scores)
        # Where an exp is 0 or ∞, log(1 + 0) = 0 and 1 / (1 + ∞) = 0 are right.
        with np.errstate(over="ignore", under="ignore"):
            if self.batch.measured:
                self.loss += self.loss_of(scores)
            self.answer(scores)  # d_S = w · σ(S) − w⁺
        d_scores = scores
        # d_Z = d_S·H first, as d_H = d_Sᵀ·Z may overwrite H; then, for CBOW, back to the sources: d_X = reach·d_H.
        np.matmul(d_scores, hidden, out=d_candidate)
        np.matmul(d_scores.transpose(0, 2, 1), candidate, out=d_hidden)
        if not self.skip_gram:
            np.matmul(reach, d_hidden, out=d_source)

    def update(self) -> None:
        """Update the table: θ ← θ − g · min(η, damping / n), as sparse.descend does."""
        rate, damping = self.batch.learning_rate, self.settings.damping
        row, terms = self.row.ravel(), self.terms.ravel()
        # n: a row's terms, summed over all places of all blocks where it occurs.
        np.add.at(self.total, row, terms)
        total = self.total.take(row)
        self.total[row] = 0
        # min(η, damping / n) = η · damping / max(η · n, damping)
        total *= np.float32(rate)
        step = np.maximum(total, np.float32(damping), out=total)
        np.divide(np.float32(-rate * damping), step, out=step)
        if self.fixed is not None:
            step[self.fixed[row]] = 0
        place = self._place[: len(row)]
        add_rows(self.table, row, step, self.gradient, place)
        if self.composition:
            of_sources = np.s_[:, : self.sources]
            step, place = step.reshape(self.row.shape)[of_sources], place.reshape(self.row.shape)[of_sources]
            self.composition.learn(self.batch.at.start, step.ravel(), self.gradient, place.ravel())


def reads_across() -> bool:
    """Return True if the BLAS in use multiplies by a transposed matrix as fast as by one that lies as it is read."""
    # OpenBLAS for AVX2 copies both into its own order first; its small products for AVX-512 read them where they are,
    # and are so much slower across that a copy of Hᵀ pays. Both ways have the same result up to rounding.
    return {library.get("architecture") for library in ThreadpoolController().info()} <= PACKING


def softplus(scores: Floats, out: Floats) -> None:
    """Write log(1 + exp(s)) = −log σ(−s) to `out`, and max(s, 0) to `scores`."""
    # = max(s, 0) + log(1 + e^−|s|), which neither overflows nor cancels.
    np.exp(np.negative(np.abs(scores, out=out), out=out), out=out)
    np.log1p(out, out=out)
    out += np.maximum(scores, 0, out=scores)


def front(buffer: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the beginning of a flat buffer in the given shape, a view."""
    return buffer[: math.prod(shape)].reshape(shape)


def band(reach: Floats, window: int) -> Floats:
    """Return the diagonals of `reach` (B, T + 2m, T), those of words up to m away, as a view (2m + 1, B, T)."""
    # Window t sits at line t + m, so its neighbour at distance d is line t + m + d: one step of t goes one line down
    # and one column right.
    block, line, item = reach.strides
    shape = (2 * window + 1, reach.shape[0], reach.shape[2])
    diagonals: Floats = as_strided(reach, shape, (line, block, line + item))
    return diagonals
