"""Binary decisions as matrix products: the fast path of negative sampling and of hierarchical softmax.

Both objectives are sums of yes-or-no questions to a hidden vector h about rows z of the output table, each answered yes
with probability σ(z·h). A block is T consecutive windows. All its questions are one small matrix product S = Z·Hᵀ of
the windows' hidden vectors H (T, D) and the candidates Z (N, D), the rows that any of the windows asks about. Each
question has two weights: w⁺, how often its true answer is yes, and w⁻, how often it is no.

    loss = −Σ w⁺ · log σ(S) + w⁻ · log σ(−S)                      w = w⁺ + w⁻      σ(x) = (1 + tanh(x/2)) / 2
    d_S  = (w · tanh(S/2) − (w⁺ − w⁻)) / 2                        d_Z = d_S·H      d_H = d_Sᵀ·Z

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
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray
from scipy.sparse import csr_array

from w2v_core.model import Model
from w2v_core.training import Settings
from w2v_core.windows import Windows

try:
    from scipy.sparse._sparsetools import coo_matmat_dense
except ImportError:  # private to SciPy, which may rename it
    coo_matmat_dense = None

IN_PLACE = coo_matmat_dense is not None  # else the public product takes its place
Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


class Batch(NamedTuple):
    """One mini-batch: B blocks, their noise words and the rate of their update."""

    number: int
    stack: "Shard"
    noise: Integers  # (B, K) rows of the table, as returned by `draw`
    learning_rate: float
    measured: bool  # whether its loss is computed


class Blocks(ABC):
    """The workspace of one batch, allocated once: rows and weights, gathered vectors, scores and gradients.

    A batch goes through gather, multiply and update, in this order.
    """

    random_order = False  # whether the blocks of a shard are shuffled; otherwise a batch takes consecutive ones
    reach: Floats  # (blocks, T + 2m, T): 1 where a word is in a window's context, 1/n of n words for the mean of CBOW

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
        rows, scores, size = self.sources + candidates, candidates * self.length, self.table.shape[1]
        # Flat buffers for the largest batch; `lay_out` takes of each what a batch needs.
        self._row = np.zeros(self.blocks * rows, np.int32)
        self._terms = np.zeros(self.blocks * rows, np.float32)
        self._vector, self._gradient = np.zeros((2, self.blocks * rows * size), np.float32)
        self._scores, self._weight = np.zeros((2, self.blocks * scores), np.float32)
        self._hidden, self._half_hidden = np.zeros((2, self.blocks * self.length * size), np.float32)
        self._measured = np.zeros((2, self.blocks * scores), np.float32)  # scores, and the terms of their loss
        self._place = np.arange(self.blocks * rows, dtype=np.int32)
        self.pairs, self.loss = 0, 0.0  # of the batches that were measured

    @abstractmethod
    def draw(self, sets: int, *, rng: np.random.Generator) -> Integers:
        """Draw the noise words of `sets` blocks, (sets, K) rows of the table."""

    @abstractmethod
    def weigh(self, batch: Batch, near: NDArray[np.bool_]) -> int:
        """Lay out the candidates, their rows and their weights w; return the number of predictions.

        `near` (2m + 1, B, T) is true where the word at distance −m … m from a window is in its context.
        """

    @abstractmethod
    def answer(self, tanh: Floats) -> None:
        """Replace tanh(S/2), (B, N, T), by w · tanh(S/2) − (w⁺ − w⁻), in place: twice the gradient by S."""

    @abstractmethod
    def loss_of(self, scores: Floats, terms: Floats) -> float:
        """Return −Σ w⁺ · log σ(S) + w⁻ · log σ(−S), in nats; its terms are exact to float32 and summed in float64.

        scores and terms are (B, N, T); both may be overwritten.
        """

    def lay_out(self, candidates: int) -> None:
        """Shape the buffers for a batch of `candidates` a block. Without gaps between blocks, as `take` requires."""
        used, length, size = self.used, self.length, self.table.shape[1]
        rows = (used, self.sources + candidates)
        self.row = _front(self._row, rows)  # of the table
        self.terms = _front(self._terms, rows)  # how many terms of the loss each of them takes part in
        self.vector = _front(self._vector, (*rows, size))
        self.gradient = _front(self._gradient, (*rows, size))  # 2 · ∂loss/∂row
        self.scores = _front(self._scores, (used, candidates, length))
        self.weight = _front(self._weight, (used, candidates, length))

    def measured(self) -> tuple[int, float]:
        """Return pairs and summed loss of the batches measured since the last call."""
        found, self.pairs, self.loss = (self.pairs, self.loss), 0, 0.0
        return found

    def gather(self, batch: Batch) -> None:
        """Copy all rows of the table that a batch reads; later updates of other batches do not affect it."""
        self.batch, self.used = batch, len(batch.stack)
        self.prepare(batch)
        self.table.take(self.row, axis=0, out=self.vector, mode="clip")

    def prepare(self, batch: Batch) -> None:
        """Compute everything about the blocks that needs no vector: rows, weights, numbers of terms."""
        # A word is in the context if it lies in the same document, within the radius; itself is beyond every radius.
        stack = batch.stack
        near = stack.near_document == stack.document
        near &= stack.distance <= stack.radius
        self.pairs += self.weigh(batch, near) * batch.measured

        # A candidate takes part in the questions of its row of weights, a hidden vector in those of its column.
        np.matmul(self.weight, np.ones(self.length, np.float32), out=self.terms[:, self.sources :])
        hidden_terms = np.matmul(np.ones(self.weight.shape[1], np.float32), self.weight)
        # Sources get back the terms of the hidden vectors they were mixed into, by the weights of the mixture.
        if self.skip_gram:
            self.terms[:, : self.sources] = hidden_terms
        else:
            np.matmul(self.reach[: self.used], hidden_terms[:, :, None], out=self.terms[:, : self.sources, None])

    def multiply(self) -> None:
        """Compute the scores of the blocks, the loss if it is measured, and the gradients."""
        source, candidate = self.vector[:, : self.sources], self.vector[:, self.sources :]
        d_source, d_candidate = self.gradient[:, : self.sources], self.gradient[:, self.sources :]
        if self.skip_gram:
            hidden, d_hidden = source, d_source
        else:
            reach = self.reach[: self.used]
            # One buffer for H and d_H: H is no longer needed when d_H is written.
            hidden = d_hidden = _front(self._hidden, (self.used, self.length, source.shape[2]))
            np.matmul(reach.transpose(0, 2, 1), source, out=hidden)  # H = reachᵀ·X

        # S/2 = Z·Hᵀ/2: tanh takes the half. BLAS multiplies matrices as they lie so much faster that a copy of Hᵀ pays.
        half_hidden = _front(self._half_hidden, (self.used, source.shape[2], self.length))
        np.multiply(hidden.transpose(0, 2, 1), np.float32(0.5), out=half_hidden)
        np.matmul(candidate, half_hidden, out=self.scores)
        if self.batch.measured:
            scores, terms = (_front(buffer, self.scores.shape) for buffer in self._measured)
            self.loss += self.loss_of(np.multiply(self.scores, 2, out=scores), terms)

        # 2·d_S = w · tanh(S/2) − (w⁺ − w⁻); the 2 stays in all that follows and is taken out in the update.
        d_scores = np.tanh(self.scores, out=self.scores)
        self.answer(d_scores)
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
        # min(η, damping / n) = η · damping / max(η · n, damping), and half of it, as `gradient` holds 2·g.
        total *= np.float32(rate)
        step = np.maximum(total, np.float32(damping), out=total)
        np.divide(np.float32(-rate * damping / 2), step, out=step)
        if self.fixed is not None:
            step[self.fixed[row]] = 0
        _add_rows(self.table, row, step, self.gradient, self._place[: len(row)])


class Shard(NamedTuple):
    """A shard as a stack of blocks. Views of what lies around overlap in memory; padding is in no context."""

    row: Integers  # (blocks, 2T + 2m) of the table: the sources, then the words to be predicted
    document: Integers  # (blocks, T)
    near_document: Integers  # (2m + 1, blocks, T) at distance −m … m from each window
    radius: NDArray[np.uint8]  # (blocks, T)
    distance: NDArray[np.uint16]  # (2m + 1, 1, 1), beyond every radius for the window itself

    @classmethod
    def of(cls, windows: Windows, length: int, reach: int, skip_gram: bool) -> "Shard":
        """Cut a shard into blocks of T = `length` windows, each with `reach` = m words on both sides."""
        blocks = -(-len(windows) // length)
        fill = blocks * length - len(windows)
        inside = slice(reach, reach + blocks * length)
        # Fill up the last block and both ends; document −1 matches no document, so padding is in no context.
        row = 2 * np.pad(windows.center, (reach, fill + reach))
        document = np.pad(windows.document, (reach, fill + reach), constant_values=-1)
        # Skip-gram predicts the near words from the word itself, CBOW the word itself from the near words. Sources are
        # input vectors, rows 2w; the words to be predicted are output vectors, rows 2w + 1.
        itself = (row + (not skip_gram))[inside].reshape(blocks, length)
        near = sliding_window_view(row + skip_gram, length + 2 * reach)[::length]  # block b begins at b·T
        distance = abs(np.arange(-reach, reach + 1)).astype(np.uint16)
        distance[reach] = 256  # a word is not in its own context: radii end at 255
        return cls(
            np.hstack([itself, near] if skip_gram else [near, itself]),
            document[inside].reshape(blocks, length),
            sliding_window_view(document, blocks * length).reshape(-1, blocks, length),
            np.pad(windows.radius, (0, fill)).reshape(blocks, length),
            distance[:, None, None],
        )

    def __len__(self) -> int:  # blocks, not columns
        return len(self[0])

    def blocks(self, at: slice | NDArray[np.int64]) -> "Shard":
        """Return the stack of the blocks at these numbers."""
        return Shard(self.row[at], self.document[at], self.near_document[:, at], self.radius[at], self.distance)


def _add_rows(table: Floats, row: Integers, scale: Floats, gradient: Floats, place: Integers) -> None:
    """Add in place: table[row[e]] += scale[e] · gradient[place[e]] for each e in order; rows may repeat.

    This is a sparse product. SciPy's public one returns a new matrix with as many rows as the table; the routine
    beneath it adds to what it is given: 27 ns a row of 100 floats against 82 (and 730 for np.add.at).
    """
    if coo_matmat_dense is None:
        return _add_rows_by_product(table, row, scale, gradient, place)
    coo_matmat_dense(len(row), table.shape[1], row, place, scale, gradient.reshape(-1), table.reshape(-1))
    return None


def _add_rows_by_product(table: Floats, row: Integers, scale: Floats, gradient: Floats, place: Integers) -> None:
    """Do the same, to the bit, by SciPy's public product, which is some four times slower."""
    # The product starts each row from zero and adds in order. So the first term of a row is the row as it was, with
    # weight 1, and its gradients follow in the order of e.
    used, repeats = np.unique(row, return_counts=True)
    rows, order = len(used), np.argsort(row, kind="stable")
    start = np.concatenate([[0], np.cumsum(repeats)])
    at = start[:-1]  # index in `order` of each row's first gradient
    column = np.insert(rows + place[order], at, np.arange(rows))
    weight = np.insert(scale[order], at, np.float32(1))
    term = np.concatenate([table[used], gradient.reshape(-1, table.shape[1])])
    table[used] = csr_array((weight, column, start + np.arange(rows + 1)), shape=(rows, len(term))) @ term


def softplus(scores: Floats, out: Floats) -> None:
    """Write log(1 + exp(s)) = −log σ(−s) to `out`, and max(s, 0) to `scores`."""
    # = max(s, 0) + log(1 + e^−|s|), which neither overflows nor cancels.
    np.exp(np.negative(np.abs(scores, out=out), out=out), out=out)
    np.log1p(out, out=out)
    out += np.maximum(scores, 0, out=scores)


def _front(buffer: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the beginning of a flat buffer in the given shape, a view."""
    return buffer[: math.prod(shape)].reshape(shape)


def band(reach: Floats, window: int) -> Floats:
    """Return the diagonals of `reach` (B, T + 2m, T), the only part that is written, as a view (2m + 1, B, T)."""
    # Window t sits at line t + m, so its neighbour at distance d is line t + m + d: one step of t goes one line down
    # and one column right.
    block, line, item = reach.strides
    shape = (2 * window + 1, reach.shape[0], reach.shape[2])
    diagonals: Floats = as_strided(reach, shape, (line, block, line + item))
    return diagonals
