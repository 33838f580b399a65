"""Yes-or-no questions as matrix products: the fast path of negative sampling and of hierarchical softmax.

Both objectives ask of a hidden vector h and rows z of the output table: is it so? The answer is yes with probability
σ(z·h). A block is T consecutive windows. All its questions are one small matrix product S = Z·Hᵀ between the hidden
vectors of the windows H (T, D) and the candidates Z (N, D), rows that matter to some of them. A question counts w⁺
times as one whose true answer is yes, and w⁻ times as one whose true answer is no:

    loss = −Σ w⁺ · log σ(S) + w⁻ · log σ(−S)                      w = w⁺ + w⁻      σ(x) = (1 + tanh(x/2)) / 2
    d_S  = (w · tanh(S/2) − (w⁺ − w⁻)) / 2                        d_Z = d_S·H      d_H = d_Sᵀ·Z

                  hidden vectors H                    words to be predicted
    skip-gram     v of the T words                    the T + 2m words around, where they are in the context
    CBOW          X·(mean or sum of the context)      the T words, each from its own context
                  with X the v of T + 2m words around

Which rows are candidates, and their weights, is for the objective to say: noise_blocks.py, tree_blocks.py.

A mini-batch is a stack of blocks. All gradients of a row are computed at the same stale value; where their n steps of
rate η would add up to more than `damping` times their mean, they are scaled down to that, lest the sum overshoot.

Shapes   V words, D vector size, T windows in a block, B blocks in the batch, m the largest radius, N candidates,
         R rows of θ that a block uses: the sources of H, then the candidates.
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
    number: int
    stack: "Shard"
    noise: Integers  # (B, K) rows of the table, as `draw` gives them
    learning_rate: float
    measured: bool  # its loss


class Blocks(ABC):
    """What one batch is computed in, allocated once: rows and weights, gathered vectors, scores and gradients."""

    random_order = False  # of the blocks of a shard; else a batch is of consecutive ones
    reach: Floats  # (blocks, T + 2m, T): who is in whose context; for the mean of CBOW, divided by how many are

    def __init__(self, settings: Settings, model: Model, fixed: NDArray[np.bool_], candidates: int) -> None:
        """Room for so many candidates a block; `fixed` (2V,) rows of the table stay as they are."""
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

        self.skip_gram = settings.architecture == "skip_gram"
        self.around = self.length + 2 * settings.window
        self.sources, self.true = (self.length, self.around) if self.skip_gram else (self.around, self.length)
        rows, scores, size = self.sources + candidates, candidates * self.length, self.table.shape[1]
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
        """The noise words of so many blocks, (sets, K) rows of the table."""

    @abstractmethod
    def weigh(self, batch: Batch, near: NDArray[np.bool_]) -> int:
        """Lay out the candidates: their rows and their weights w. `near` (2m + 1, B, T) says which word at distance
        −m … m of a window is in its context. Returns how many predictions there are."""

    @abstractmethod
    def answer(self, tanh: Floats) -> None:
        """In place: w · tanh(S/2) − (w⁺ − w⁻)."""

    @abstractmethod
    def loss_of(self, scores: Floats, terms: Floats) -> float:
        """−Σ w⁺ · log σ(S) + w⁻ · log σ(−S), whose terms are exact to float32 and summed in float64.

        Both arguments, of one shape, may be written over.
        """

    def lay_out(self, candidates: int) -> None:
        """This batch has so many candidates a block: one after the other, without a gap, for the sake of `take`."""
        used, length, size = self.used, self.length, self.table.shape[1]
        rows = (used, self.sources + candidates)
        self.row = _front(self._row, rows)  # of the table
        self.terms = _front(self._terms, rows)  # how many terms of the loss each of them takes part in
        self.vector = _front(self._vector, (*rows, size))
        self.gradient = _front(self._gradient, (*rows, size))  # 2 · ∂loss/∂row
        self.scores = _front(self._scores, (used, candidates, length))
        self.weight = _front(self._weight, (used, candidates, length))

    def measured(self) -> tuple[int, float]:
        """Pairs and summed loss of the measured batches since the last time."""
        found, self.pairs, self.loss = (self.pairs, self.loss), 0, 0.0
        return found

    def gather(self, batch: Batch) -> None:
        """All that a batch reads of the table; from here on, updates of others do not bear on it."""
        self.batch, self.used = batch, len(batch.stack)
        self.prepare(batch)
        self.table.take(self.row, axis=0, out=self.vector, mode="clip")

    def prepare(self, batch: Batch) -> None:
        """Everything about the blocks that asks for no vector: rows, weights, terms."""
        stack = batch.stack
        near = stack.near_document == stack.document
        near &= stack.distance <= stack.radius
        self.pairs += self.weigh(batch, near) * batch.measured

        np.matmul(self.weight, np.ones(self.length, np.float32), out=self.terms[:, self.sources :])
        hidden_terms = np.matmul(np.ones(self.weight.shape[1], np.float32), self.weight)
        if self.skip_gram:
            self.terms[:, : self.sources] = hidden_terms
        else:
            np.matmul(self.reach[: self.used], hidden_terms[:, :, None], out=self.terms[:, : self.sources, None])

    def multiply(self) -> None:
        """The products: scores of the blocks, and their gradients."""
        source, candidate = self.vector[:, : self.sources], self.vector[:, self.sources :]
        d_source, d_candidate = self.gradient[:, : self.sources], self.gradient[:, self.sources :]
        if self.skip_gram:
            hidden, d_hidden = source, d_source
        else:
            reach = self.reach[: self.used]
            hidden = d_hidden = _front(self._hidden, (self.used, self.length, source.shape[2]))
            np.matmul(reach.transpose(0, 2, 1), source, out=hidden)

        # S/2 = Z·Hᵀ/2; the product of two matrices as they lie is so much faster that transposing one first pays
        half_hidden = _front(self._half_hidden, (self.used, source.shape[2], self.length))
        np.multiply(hidden.transpose(0, 2, 1), np.float32(0.5), out=half_hidden)
        np.matmul(candidate, half_hidden, out=self.scores)
        if self.batch.measured:
            scores, terms = (_front(buffer, self.scores.shape) for buffer in self._measured)
            self.loss += self.loss_of(np.multiply(self.scores, 2, out=scores), terms)

        d_scores = np.tanh(self.scores, out=self.scores)
        self.answer(d_scores)
        np.matmul(d_scores, hidden, out=d_candidate)
        np.matmul(d_scores.transpose(0, 2, 1), candidate, out=d_hidden)
        if not self.skip_gram:
            np.matmul(reach, d_hidden, out=d_source)

    def update(self) -> None:
        """θ ← θ − η·g, damped."""
        rate, damping = self.batch.learning_rate, self.settings.damping
        row, terms = self.row.ravel(), self.terms.ravel()
        np.add.at(self.total, row, terms)
        total = self.total.take(row)
        self.total[row] = 0
        total *= np.float32(rate)
        step = np.maximum(total, np.float32(damping), out=total)
        np.divide(np.float32(-rate * damping / 2), step, out=step)  # g is half of what `gradient` holds
        if self.fixed is not None:
            step[self.fixed[row]] = 0
        _add_rows(self.table, row, step, self.gradient, self._place[: len(row)])


class Shard(NamedTuple):
    """A shard as a stack of blocks; views of what lies around overlap in memory. Padding is in no context."""

    row: Integers  # (blocks, 2T + 2m) of the table: the sources, then the words to be predicted
    document: Integers  # (blocks, T)
    near_document: Integers  # (2m + 1, blocks, T) at distance −m … m from each window
    radius: NDArray[np.uint8]  # (blocks, T)
    distance: NDArray[np.uint16]  # (2m + 1, 1, 1), beyond every radius for the window itself

    @classmethod
    def of(cls, windows: Windows, length: int, reach: int, skip_gram: bool) -> "Shard":
        blocks = -(-len(windows) // length)
        fill = blocks * length - len(windows)
        inside = slice(reach, reach + blocks * length)
        row = 2 * np.pad(windows.center, (reach, fill + reach))
        document = np.pad(windows.document, (reach, fill + reach), constant_values=-1)
        # skip-gram predicts what is near from the word itself, CBOW the word itself from what is near
        itself = (row + (not skip_gram))[inside].reshape(blocks, length)
        near = sliding_window_view(row + skip_gram, length + 2 * reach)[::length]
        distance = abs(np.arange(-reach, reach + 1)).astype(np.uint16)
        distance[reach] = 256
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
        return Shard(self.row[at], self.document[at], self.near_document[:, at], self.radius[at], self.distance)


def _add_rows(table: Floats, row: Integers, scale: Floats, gradient: Floats, place: Integers) -> None:
    """table[row[e]] += scale[e] · gradient[place[e]] for each e in order, where rows repeat: a sparse product in place.

    SciPy's public product returns a new matrix with as many rows as the table. This is the routine beneath it, which
    adds to what it is given: 27 ns a row of 100 floats against 82 (and 730 for np.add.at).
    """
    if coo_matmat_dense is None:
        return _add_rows_by_product(table, row, scale, gradient, place)
    coo_matmat_dense(len(row), table.shape[1], row, place, scale, gradient.reshape(-1), table.reshape(-1))
    return None


def _add_rows_by_product(table: Floats, row: Integers, scale: Floats, gradient: Floats, place: Integers) -> None:
    """The same, to the bit, by SciPy's public product, some four times slower.

    It starts each row from zero and adds in order: the first term of a row is the row as it was, with the weight 1, and
    its gradients follow in the order of e.
    """
    used, repeats = np.unique(row, return_counts=True)
    rows, order = len(used), np.argsort(row, kind="stable")
    start = np.concatenate([[0], np.cumsum(repeats)])
    at = start[:-1]  # where each row's gradients begin in `order`
    column = np.insert(rows + place[order], at, np.arange(rows))
    weight = np.insert(scale[order], at, np.float32(1))
    term = np.concatenate([table[used], gradient.reshape(-1, table.shape[1])])
    table[used] = csr_array((weight, column, start + np.arange(rows + 1)), shape=(rows, len(term))) @ term


def softplus(scores: Floats, out: Floats) -> None:
    """out = log(1 + exp(s)) = −log σ(−s); `scores` become max(s, 0)."""
    np.exp(np.negative(np.abs(scores, out=out), out=out), out=out)
    np.log1p(out, out=out)
    out += np.maximum(scores, 0, out=scores)


def _front(buffer: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return buffer[: math.prod(shape)].reshape(shape)


def band(reach: Floats, window: int) -> Floats:
    """The diagonals of `reach` (B, T + 2m, T), as (2m + 1, B, T): nothing else of it is ever written."""
    block, line, item = reach.strides
    shape = (2 * window + 1, reach.shape[0], reach.shape[2])
    diagonals: Floats = as_strided(reach, shape, (line, block, line + item))
    return diagonals
