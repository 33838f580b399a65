"""Negative sampling as matrix products: the fast path, for skip-gram and CBOW.

Skip-gram with negative sampling minimises, over all pairs of a center word i and a context word j (Mikolov 2013, eq. 4),

    −log σ(u_j·v_i) − n · E[log σ(−u_k·v_i)]          k drawn from the noise distribution, n = `negatives`

A block is T consecutive windows. All its scores are one small matrix product S = Z·Hᵀ between the hidden vectors of
the windows H (T, D) and the candidates Z (N, D): first the words that may be true, then K noise words that the block
shares. The weight w_ji says how much candidate j matters to window i, and y_j = ±1 whether it is true or noise:

    loss = −Σ w_ji · log σ(y_j·s_ji)                  σ(x) = (1 + tanh(x/2)) / 2
    d_S  = w · (tanh(S/2) − y) / 2                    d_Z = d_S·H        d_H = d_Sᵀ·Z

                  hidden vectors H                 true candidates                   their weights w
    skip-gram     v of the T words                 u of the T + 2m words around      1 where j is in the context of i
    CBOW          X·(mean or sum of the context)   u of the T words                  1 on the diagonal
                  X: v of the T + 2m words around

Noise k weighs n/K for each pair of window i whose true word differs from k: w = n/K · [k ≠ j] · w, summed over the true
candidates j. So the expected gradient is the one of n draws for each pair (Ji et al. 2016, arXiv:1604.04661). The K words
are drawn one from each K-th of the noise distribution, which keeps the expectation and takes most of its spread away.

A mini-batch is a stack of blocks. A row that takes part in more than `damping` pairs of it moves by `damping` times
their mean: all of them were computed at the same stale value, and the plain sum would overshoot.

Shapes   V words, D vector size, T block length, m the largest radius, K shared noise words, N candidates,
         R rows of θ that a block uses (sources of H, then candidates), C blocks in a piece, B blocks in the batch.
Bits     Every block is computed alone and every row is summed in the order of the batch: threads change nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray
from scipy.sparse import _sparsetools
from threadpoolctl import threadpool_limits

from w2v_core.model import Model
from w2v_core.randomness import generator
from w2v_core.training import Settings, Step
from w2v_core.vocabulary import Noise
from w2v_core.windows import Windows

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Task = TypeVar("Task")

PIECE = 1024  # windows that a thread computes at a time: what they touch fits its second-level cache
MEASURED = 16  # one batch in so many measures its loss


class Blocks:
    """The learner. Vectors of `frozen` words (V,) stay as they are; `threads` changes no bit of the result."""

    def __init__(
        self, settings: Settings, model: Model, noise: Noise, frozen: NDArray[np.bool_], *, threads: int = 1
    ) -> None:
        assert settings.batch_size != "full"
        self.settings, self.threads = settings, threads
        self.length = min(settings.block_length, settings.batch_size)
        self.blocks = settings.batch_size // self.length
        self.cumulative = np.cumsum(noise.probability)
        self.cumulative[-1] = 1.0
        # word w is row 2w of the table as input vector, and row 2w + 1 as output vector
        self.table = model.theta.reshape(-1, model.theta.shape[2])
        self.frozen_row = np.repeat(frozen, 2)
        self.total = np.zeros(len(self.table), np.float32)  # terms of each row of the table; 0 between batches

        self.around = self.length + 2 * settings.window
        self.skip_gram = settings.architecture == "skip_gram"
        self.sources, self.true = (self.length, self.around) if self.skip_gram else (self.around, self.length)
        self.candidates = self.true + settings.shared_negatives
        shape = (self.blocks, self.sources + self.candidates)
        self.row = np.zeros(shape, np.int32)  # of the table, for each row of a block
        self.terms = np.zeros(shape, np.float32)  # pairs each of them takes part in
        self.gradient = np.zeros((*shape, self.table.shape[1]), np.float32)  # 2 · ∂loss/∂row
        self.loss = np.zeros(self.blocks)
        self.spaces = [_Space.of(self) for _ in range(threads)]

    def learn(
        self, windows: Windows, place: tuple[int, int], learning_rate: Callable[[int], float], first: int = 0
    ) -> Iterator[Step]:
        if len(windows) == 0:
            return
        shard = _Shard.of(windows, self.length, self.settings.window)
        size = self.blocks * self.length
        count = max(1, PIECE // self.length)
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(self.threads) as pool:
            for batch in range(first, -(-len(windows) // size)):
                rows = min(size, len(windows) - batch * size)
                stack = shard.blocks(batch * self.blocks, -(-rows // self.length))
                rng = generator(self.settings.seed, "training", *place, batch)
                uniform = rng.random((len(stack.own), self.settings.shared_negatives))
                measured = batch % MEASURED == 0

                pieces = [slice(at, min(at + count, len(stack.own))) for at in range(0, len(stack.own), count)]
                compute = partial(self._gradients, stack, uniform, measured)
                pairs = self._together(pool, compute, pieces)
                move = partial(self._descend, len(stack.own), learning_rate(batch * size))
                self._together(pool, move, range(self.threads))
                loss = float(self.loss[: len(stack.own)].sum())
                yield Step(rows, pairs, loss if measured else None)

    def _together(
        self, pool: ThreadPoolExecutor, work: Callable[["_Space", Task], int], tasks: Sequence[Task]
    ) -> int:
        """The sum of work(space, task): every thread has its own space, and takes the next task when it is free."""
        waiting = iter(tasks)

        def run(space: _Space) -> int:
            return sum(work(space, task) for task in waiting)

        helpers = [pool.submit(run, space) for space in self.spaces[1:]]
        return run(self.spaces[0]) + sum(helper.result() for helper in helpers)

    def _gradients(
        self, stack: "_Shard", uniform: NDArray[np.float64], measured: bool, space: "_Space", piece: slice
    ) -> int:
        """Fill `row`, `terms`, `gradient` and `loss` for a piece of the batch. Returns its pairs."""
        noise_words, true = self.settings.shared_negatives, self.true
        own, near, row, terms = stack.own[piece], stack.near[piece], self.row[piece], self.terms[piece]
        count = len(own)
        space = space.first(count)

        # The rows of θ: sources, true candidates, and one noise word from each K-th of the distribution.
        sources, candidates = (own, near) if self.skip_gram else (near, own)
        noise = np.searchsorted(self.cumulative, (np.arange(noise_words) + uniform[piece]) / noise_words)
        np.multiply(sources, 2, out=row[:, : self.sources])
        np.multiply(candidates, 2, out=row[:, self.sources : -noise_words])
        np.multiply(noise, 2, out=row[:, -noise_words:], casting="unsafe")
        row[:, self.sources :] += 1
        vector = self.table.take(row, axis=0, out=space.vector, mode="clip")
        source, candidate = vector[:, : self.sources], vector[:, self.sources :]

        # Who is in whose context: only a band of the (T + 2m, T) matrix is ever written.
        reach = stack.near_document[:, piece] == stack.document[piece]
        reach &= space.distance <= stack.radius[piece]
        space.band[:] = reach
        pairs = int(np.count_nonzero(reach))
        hidden, weight = source, space.weight
        if not self.skip_gram:
            size = space.reach.sum(axis=1)
            space.diagonal[:] = size > 0
            pairs = int(np.count_nonzero(size))
            if self.settings.combination == "mean":
                space.reach[:] /= np.maximum(size, 1)[:, None]
            hidden = np.matmul(space.reach.transpose(0, 2, 1), source, out=space.hidden)

        # w = n/K · [k ≠ j] · w for the noise words
        np.copyto(space.differs, noise[:, :, None] != candidates[:, None, :])
        np.matmul(space.differs, weight[:, :true], out=weight[:, true:])
        weight[:, true:] *= np.float32(self.settings.negatives / noise_words)

        # S = Z·Hᵀ, and 2·d_S = w · (tanh(S/2) − y)
        scores = np.matmul(candidate, hidden.transpose(0, 2, 1), out=space.scores)
        if measured:
            self.loss[piece] = self._loss(scores, weight)
        scores *= np.float32(0.5)
        np.tanh(scores, out=scores)
        scores[:, :true] -= 1
        scores[:, true:] += 1
        scores *= weight

        gradient = self.gradient[piece]
        np.matmul(scores, hidden, out=gradient[:, self.sources :])
        np.matmul(weight, space.ones[: self.length], out=terms[:, self.sources :])
        d_hidden = np.matmul(scores.transpose(0, 2, 1), candidate, out=gradient[:, : self.sources] if self.skip_gram else hidden)
        of_hidden = np.matmul(space.ones[: self.candidates], weight)
        if self.skip_gram:
            terms[:, : self.sources] = of_hidden
        else:
            np.matmul(space.reach, d_hidden, out=gradient[:, : self.sources])
            np.matmul(space.reach, of_hidden[:, :, None], out=terms[:, : self.sources, None])
        return pairs

    def _loss(self, scores: Floats, weight: Floats) -> NDArray[np.float64]:
        """Of each block: Σ w · log(1 + exp(−y·s))."""
        signed = scores.astype(np.float64)
        signed[:, : self.true] *= -1
        return (weight * np.logaddexp(0, signed)).sum(axis=(1, 2))

    def _descend(self, blocks: int, rate: float, space: "_Space", share: int) -> int:
        """θ ← θ − η·g, damped, for the rows of one share of the words: no two threads touch the same row."""
        row = self.row[:blocks].ravel()
        place = np.flatnonzero((row >> 1) % self.threads == share).astype(np.int32)
        row, terms = row.take(place), self.terms[:blocks].ravel().take(place)
        np.add.at(self.total, row, terms)
        total = self.total.take(row)
        self.total[row] = 0
        damping = np.float32(self.settings.damping)
        step = np.float32(-rate / 2) * damping / np.maximum(total, damping)
        step[self.frozen_row[row]] = 0
        _add_rows(self.table, row, step, self.gradient, place)
        return 0


class _Shard(NamedTuple):
    """A shard as a stack of blocks; views of what lies around overlap in memory. Padding is in no context."""

    own: Integers  # (blocks, T) words
    near: Integers  # (blocks, T + 2m) words, from m before the block to m after it
    document: Integers  # (blocks, T)
    near_document: Integers  # (2m + 1, blocks, T) documents at distance −m … m from each window
    radius: NDArray[np.uint8]  # (blocks, T)

    @classmethod
    def of(cls, windows: Windows, length: int, reach: int) -> "_Shard":
        fill = -len(windows) % length
        inside = slice(reach, reach + len(windows) + fill)
        blocks = (len(windows) + fill) // length
        word = np.pad(windows.center, (reach, fill + reach))
        document = np.pad(windows.document, (reach, fill + reach), constant_values=-1)
        return cls(
            word[inside].reshape(blocks, length),
            sliding_window_view(word, length + 2 * reach)[::length],
            document[inside].reshape(blocks, length),
            sliding_window_view(document, blocks * length).reshape(-1, blocks, length),
            np.pad(windows.radius, (0, fill)).reshape(blocks, length),
        )

    def blocks(self, first: int, count: int) -> "_Shard":
        at = slice(first, first + count)
        return _Shard(self.own[at], self.near[at], self.document[at], self.near_document[:, at], self.radius[at])


class _Space(NamedTuple):
    """What one thread computes in, allocated once: C blocks at a time."""

    vector: Floats  # (C, R, D)
    hidden: Floats  # (C, T, D)
    scores: Floats  # (C, N, T)
    weight: Floats  # (C, N, T)
    differs: Floats  # (C, K, N - K)
    reach: Floats  # (C, T + 2m, T); for skip-gram these are the true candidates of `weight`
    band: Floats  # (2m + 1, C, T): the diagonals of `reach`, a view
    diagonal: Floats  # (C, T): the one of `weight`, a view
    distance: NDArray[np.uint8]  # (2m + 1, 1, 1)
    ones: Floats

    @classmethod
    def of(cls, learner: Blocks) -> "_Space":
        count, length, width = max(1, PIECE // learner.length), learner.length, learner.settings.window
        candidates, true, rows = learner.candidates, learner.true, learner.row.shape[1]
        dimensions = learner.table.shape[1]
        weight = np.zeros((count, candidates, length), np.float32)
        reach = weight[:, :true] if learner.skip_gram else np.zeros((count, learner.around, length), np.float32)
        block, line, item = reach.strides
        distance = abs(np.arange(-width, width + 1)).astype(np.uint8)
        distance[width] = 255
        return cls(
            np.empty((count, rows, dimensions), np.float32),
            np.empty((count, length, dimensions), np.float32),
            np.empty_like(weight),
            weight,
            np.empty((count, candidates - true, true), np.float32),
            reach,
            as_strided(reach, (2 * width + 1, count, length), (line, block, line + item)),
            as_strided(weight, (count, length), (weight.strides[0], line + item)),
            distance[:, None, None],
            np.ones(candidates, np.float32),
        )

    def first(self, count: int) -> "_Space":
        """The same for fewer blocks."""
        return self._replace(
            vector=self.vector[:count],
            hidden=self.hidden[:count],
            scores=self.scores[:count],
            weight=self.weight[:count],
            differs=self.differs[:count],
            reach=self.reach[:count],
            band=self.band[:, :count],
            diagonal=self.diagonal[:count],
        )


def _add_rows(table: Floats, row: Integers, scale: Floats, gradient: Floats, place: Integers) -> None:
    """table[row[e]] += scale[e] · gradient[place[e]] for each e in order, where rows repeat: a sparse product in place.

    SciPy's public product returns a new matrix with as many rows as the table. This is the routine beneath it, which
    adds into what it is given: 27 ns a row of 100 floats against 82 (and 730 for np.add.at).
    """
    width = table.shape[1]
    _sparsetools.coo_matmat_dense(len(row), width, row, place, scale, gradient.reshape(-1), table.reshape(-1))
