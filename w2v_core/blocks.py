"""Negative sampling as matrix products: the fast path, for skip-gram and CBOW.

Skip-gram with negative sampling minimises, over the pairs of a center word i and a context word j,

    −log σ(u_j·v_i) − n · E[log σ(−u_k·v_i)]          k drawn from the noise distribution, n = `negatives`

A block is T consecutive windows. All its scores are one small matrix product S = Z·Hᵀ between the hidden vectors of
the windows H (T, D) and the candidates Z (N, D): first the words that may be true, then K noise words that the block
shares. The weight w_ji says how much candidate j matters to window i, and y_j = ±1 whether it is true or noise:

    loss = −Σ w_ji · log σ(y_j·s_ji)                  σ(x) = (1 + tanh(x/2)) / 2
    d_S  = w · (tanh(S/2) − y) / 2                    d_Z = d_S·H        d_H = d_Sᵀ·Z

                  hidden vectors H                    true candidates              their weights w
    skip-gram     v of the T words                    u of T + 2m words around     1 where j is in the context of i
    CBOW          X·(mean or sum of the context)      u of the T words             1 on the diagonal
                  with X the v of T + 2m words around

Noise word k weighs n/K for each pair of window i whose true word is another: w_ki = n/K · Σ_j [k ≠ j] · w_ji. So the
expected gradient is the one of n draws for each pair. The K words come one from each K-th of the noise distribution.

A mini-batch is a stack of blocks. All gradients of a row are computed at the same stale value; where their n steps of
rate η would add up to more than `damping` times their mean, they are scaled down to that, lest the sum overshoot.

Shapes   V words, D vector size, T windows in a block, B blocks in the batch, m the largest radius, K noise words,
         N candidates, R rows of θ that a block uses: the sources of H, then the candidates.
Source   Mikolov et al. 2013 (arXiv:1310.4546), eq. 4; shared noise words: Ji et al. 2016 (arXiv:1604.04661).
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray
from scipy.sparse import _sparsetools

from w2v_core.model import Model
from w2v_core.training import Settings
from w2v_core.windows import Windows

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


class Batch(NamedTuple):
    number: int
    stack: "Shard"
    noise: Integers  # (B, K) rows of the table
    learning_rate: float
    measured: bool  # its loss


class Lane:
    """What one batch is computed in, allocated once: rows and weights, gathered vectors, scores and gradients."""

    def __init__(self, settings: Settings, model: Model, frozen: NDArray[np.bool_]) -> None:
        assert settings.batch_size != "full"
        assert model.theta.dtype == np.float32
        assert model.theta.flags.c_contiguous  # else the table below would be a copy
        self.settings = settings
        self.length = min(settings.block_length, settings.batch_size)
        self.blocks = settings.batch_size // self.length
        # word w is row 2w of the table as input vector, and row 2w + 1 as output vector
        self.table = model.theta.reshape(-1, model.theta.shape[2])
        self.frozen_row = np.repeat(frozen, 2) if frozen.any() else None
        self.total = np.zeros(len(self.table), np.float32)  # terms of each row of the table; 0 between batches

        self.skip_gram = settings.architecture == "skip_gram"
        around = self.length + 2 * settings.window
        self.sources, self.true = (self.length, around) if self.skip_gram else (around, self.length)
        candidates, dimensions = self.true + settings.shared_negatives, self.table.shape[1]
        shape = (self.blocks, self.sources + candidates)
        self.row = np.zeros(shape, np.int32)  # of the table, for each row of a block
        self.terms = np.zeros(shape, np.float32)  # pairs that each of them takes part in
        self.vector = np.empty((*shape, dimensions), np.float32)
        self.hidden = np.empty((self.blocks, self.length, dimensions), np.float32)
        self.half_hidden = np.empty((self.blocks, dimensions, self.length), np.float32)  # H/2, transposed
        self.scores = np.empty((self.blocks, candidates, self.length), np.float32)
        self.gradient = np.zeros((*shape, dimensions), np.float32)  # 2 · ∂loss/∂row
        self.place = np.arange(self.row.size, dtype=np.int32)
        self.pairs, self.loss = 0, 0.0  # of the batches that were measured

        # Of `reach` (B, T + 2m, T), who is in whose context, only the diagonals of a band are ever written.
        self.weight = np.zeros((self.blocks, candidates, self.length), np.float32)
        self.reach = self.weight[:, :around] if self.skip_gram else np.zeros((self.blocks, around, self.length), "f4")
        block, line, item = self.reach.strides
        band = (2 * settings.window + 1, self.blocks, self.length)
        self.band = as_strided(self.reach, band, (line, block, line + item))
        self.diagonal = as_strided(self.weight, band[1:], (self.weight.strides[0], line + item))
        self.differs = np.zeros((self.blocks, settings.shared_negatives, self.true), np.float32)

    def measured(self) -> tuple[int, float]:
        """Pairs and summed loss of the measured batches since the last time."""
        found, self.pairs, self.loss = (self.pairs, self.loss), 0, 0.0
        return found

    def gather(self, batch: Batch) -> None:
        """All that a batch reads of the table; from here on, updates of others do not bear on it."""
        self.batch, self.used = batch, len(batch.stack)
        pairs = self.weigh(batch.stack, batch.noise)
        self.pairs += pairs * batch.measured
        used = slice(self.used)
        self.table.take(self.row[used], axis=0, out=self.vector[used], mode="clip")

    def weigh(self, stack: "Shard", noise: Integers) -> int:
        """Everything about the blocks that asks for no vector: rows, weights, terms. Returns their pairs."""
        at = slice(self.used)
        row, terms, reach, weight = self.row[at], self.terms[at], self.reach[at], self.weight[at]
        row[:, : self.sources] = stack.source
        row[:, self.sources : -noise.shape[1]] = stack.true
        row[:, -noise.shape[1] :] = noise

        near = stack.near_document == stack.document
        near &= stack.distance <= stack.radius
        self.band[:, at] = near
        pairs = np.count_nonzero(near)
        if not self.skip_gram:
            context = reach.sum(axis=1)  # (B, T) words in the context
            self.diagonal[at] = context > 0
            pairs = np.count_nonzero(context)
            if self.settings.combination == "mean":
                reach /= np.maximum(context, 1)[:, None]

        # n/K · Σ_j [k ≠ j] · w_ji
        share, true = np.float32(self.settings.negatives / noise.shape[1]), weight[:, : self.true]
        differs = np.multiply(noise[:, :, None] != stack.true[:, None], share, out=self.differs[at])
        np.matmul(differs, true, out=weight[:, self.true :])

        np.matmul(weight, np.ones(self.length, np.float32), out=terms[:, self.sources :])
        hidden_terms = np.matmul(np.ones(weight.shape[1], np.float32), weight)
        if self.skip_gram:
            terms[:, : self.sources] = hidden_terms
        else:
            np.matmul(reach, hidden_terms[:, :, None], out=terms[:, : self.sources, None])
        return int(pairs)

    def multiply(self) -> None:
        """The products: scores of the blocks, and their gradients."""
        at, true = slice(self.used), self.true
        weight, reach, vector, scores = self.weight[at], self.reach[at], self.vector[at], self.scores[at]
        half_hidden = self.half_hidden[at]
        source, candidate = vector[:, : self.sources], vector[:, self.sources :]
        d_source, d_candidate = self.gradient[at, : self.sources], self.gradient[at, self.sources :]
        if self.skip_gram:
            hidden, d_hidden = source, d_source
        else:
            hidden = d_hidden = self.hidden[at]
            np.matmul(reach.transpose(0, 2, 1), source, out=hidden)

        # S/2 = Z·Hᵀ/2; the product of two matrices as they lie is so much faster that transposing one first pays
        np.multiply(hidden.transpose(0, 2, 1), np.float32(0.5), out=half_hidden)
        np.matmul(candidate, half_hidden, out=scores)
        if self.batch.measured:
            self.loss += self._loss(2 * scores, weight)

        # 2·d_S = w · (tanh(S/2) − y), in place
        d_scores = np.tanh(scores, out=scores)
        d_scores[:, :true] -= 1
        d_scores[:, true:] += 1
        d_scores *= weight

        np.matmul(d_scores, hidden, out=d_candidate)
        np.matmul(d_scores.transpose(0, 2, 1), candidate, out=d_hidden)
        if not self.skip_gram:
            np.matmul(reach, d_hidden, out=d_source)

    def _loss(self, scores: Floats, weight: Floats) -> float:
        """Σ w · log(1 + exp(−y·s)), whose terms are exact to float32 and summed in float64. Changes the scores."""
        against = scores
        against[:, : self.true] *= -1
        terms = np.maximum(against, 0) + np.log1p(np.exp(-abs(against)))
        return float((weight * terms).sum(dtype=np.float64))

    def update(self) -> None:
        """θ ← θ − η·g, damped."""
        rate, damping = self.batch.learning_rate, self.settings.damping
        row, terms = self.row[: self.used].ravel(), self.terms[: self.used].ravel()
        np.add.at(self.total, row, terms)
        total = self.total.take(row)
        self.total[row] = 0
        total *= np.float32(rate)
        step = np.maximum(total, np.float32(damping), out=total)
        np.divide(np.float32(-rate * damping / 2), step, out=step)  # g is half of what `gradient` holds
        if self.frozen_row is not None:
            step[self.frozen_row[row]] = 0
        _add_rows(self.table, row, step, self.gradient, self.place[: len(row)])


class Shard(NamedTuple):
    """A shard as a stack of blocks; views of what lies around overlap in memory. Padding is in no context."""

    source: Integers  # (blocks, T) for skip-gram, (blocks, T + 2m) for CBOW: rows of the table
    true: Integers  # the other way round
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
            itself if skip_gram else near,
            near if skip_gram else itself,
            document[inside].reshape(blocks, length),
            sliding_window_view(document, blocks * length).reshape(-1, blocks, length),
            np.pad(windows.radius, (0, fill)).reshape(blocks, length),
            distance[:, None, None],
        )

    def __len__(self) -> int:  # blocks, not columns
        return len(self[2])

    def blocks(self, first: int, count: int) -> "Shard":
        at = slice(first, first + count)
        near_document = self.near_document[:, at]
        return Shard(self.source[at], self.true[at], self.document[at], near_document, self.radius[at], self.distance)


def _add_rows(table: Floats, row: Integers, scale: Floats, gradient: Floats, place: Integers) -> None:
    """table[row[e]] += scale[e] · gradient[place[e]] for each e in order, where rows repeat: a sparse product in place.

    SciPy's public product returns a new matrix with as many rows as the table. This is the routine beneath it, which
    adds to what it is given: 27 ns a row of 100 floats against 82 (and 730 for np.add.at).
    """
    width = table.shape[1]
    _sparsetools.coo_matmat_dense(len(row), width, row, place, scale, gradient.reshape(-1), table.reshape(-1))
