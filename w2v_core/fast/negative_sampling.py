"""Negative sampling on blocks (blocks.py), for skip-gram and CBOW.

Skip-gram with negative sampling minimises, over the pairs of a center word i and a context word j,

    −log σ(u_j·v_i) − n · E[log σ(−u_k·v_i)]          k drawn from the noise distribution, n = `negatives`

The candidates of a block are first the words that may be true, then K noise words shared by its windows:

                  true candidates              w⁺                                    noise words          w⁻
    skip-gram     u of T + 2m words around     1 where j is in the context of i      u of K words         w_ki
    CBOW          u of the T words             1 on the diagonal

Noise word k weighs n/K for each pair of window i whose true word is another: w_ki = n/K · Σ_j [k ≠ j] · w⁺_ji. The
expected gradient is therefore that of n draws for each pair. One word comes from each K-th of the noise distribution.

Everything about rows, weights and terms that needs no vector is computed for all blocks of a round at once. Skip-gram
has T + 2m scores of true words for each window, which asks at most 2m of them, on a band of diagonals: σ is computed
there and for noise words only.

Shapes   as in blocks.py; K = `shared_negatives` noise words of a block.
Source   Mikolov et al. 2013b (arXiv:1310.4546), eq. 4; shared noise words: Ji et al. 2016 (arXiv:1604.04661).
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.fast.adding import Floats
from w2v_core.fast.blocks import Batch, Blocks, band, front, softplus
from w2v_core.fast.shard import Integers, Shard
from w2v_core.fast.stratified import Strata
from w2v_core.model import Model
from w2v_core.training import Settings
from w2v_core.vocabulary import Noise


def lanes(
    settings: Settings, model: Model, counts: NDArray[np.int64], frozen: NDArray[np.bool_]
) -> tuple[Blocks, Blocks] | None:
    """Return two workspaces for batches in turn; None where windows share no noise words. counts, frozen are (V,)."""
    if not settings.shared_negatives:
        return None
    strata = Strata(Noise(counts, settings.noise_exponent).probability, settings.shared_negatives)
    return NoiseBlocks(settings, model, frozen, strata), NoiseBlocks(settings, model, frozen, strata)


class NoiseBlocks(Blocks):
    """True words and shared noise words; see the head of this file."""

    def __init__(self, settings: Settings, model: Model, frozen: NDArray[np.bool_], strata: Strata) -> None:
        """Allocate the workspace; both vectors of `frozen` words (V,) stay as they are."""
        around, length, shared = settings.block_length + 2 * settings.window, settings.block_length, strata.strata
        candidates = (around if settings.architecture == "skip_gram" else length) + shared
        super().__init__(settings, model, np.repeat(frozen, 2), candidates)
        self.strata, self.share = strata, np.float32(settings.negatives / shared)
        # Where the questions about true words are among the scores: skip-gram's on the diagonals of the words around,
        # CBOW's on one diagonal, which is a band of radius 0.
        scores = self._scores.reshape(self.blocks, candidates, length)
        self.asked = band(scores[:, : self.true], settings.window if self.skip_gram else 0)
        self.weight = np.zeros((self.blocks, shared, length), np.float32)  # w⁻ of the noise words
        self._buffer = np.zeros((2, self.blocks * length * max(shared, len(self.asked))), np.float32)
        if not self.skip_gram:
            self.reach = np.zeros((self.blocks, around, length), np.float32)
            self.band = band(self.reach, settings.window)

    def draw(self, sets: int, *, rng: np.random.Generator) -> Integers:
        """Draw the output rows of the noise words of `sets` blocks, (sets, K)."""
        return 2 * self.strata.draw(sets, rng=rng) + 1

    def begin(self, stack: Shard, noise: Integers) -> None:
        """Compute rows, terms and weights of the blocks of a round."""
        (blocks, shared), length = noise.shape, self.length
        # Rows: the sources, the words to be predicted, the noise words. The first two lie in the shard already.
        self.rows = np.empty((blocks, stack.row.shape[1] + shared), np.intp)
        self.rows[:, :-shared], self.rows[:, -shared:] = stack.row, noise
        if self.composition:
            self.composition.begin(stack.row[:, : self.sources] >> 1, self.blocks)

        # w⁺: skip-gram has a pair for each word in a context, CBOW one for each window that has any context. Line d of
        # `yes` (…, blocks, T) is about the true word t + d of window t.
        near = stack.near()
        context = near.sum(axis=0, dtype=np.float32)  # (blocks, T) words in the context
        self.near, self.yes = near, near if self.skip_gram else context[None] > 0
        self.pairs_of = context if self.skip_gram else self.yes[0].astype(np.float32)
        self.mixing = 1 / np.maximum(context, 1) if self.settings.combination == "mean" else np.ones_like(context)

        # w⁻ = n/K · Σ_j [k ≠ j] · w⁺_ji: n/K for each pair, and one n/K less for each pair that has noise word k as its
        # target. There are few of those: `skipped` has the cell (block, k, t) of each among the weights, ascending.
        equal = noise.T[:, None] == stack.row[:, self.sources :].T  # (K, candidates, blocks)
        word, true, block = np.unravel_index(np.flatnonzero(equal), equal.shape)
        line = np.arange(len(self.yes))
        window = true[:, None] - line
        asks = (window >= 0) & (window < length)
        asks &= self.yes[line, block[:, None], np.clip(window, 0, length - 1)]
        cell = (block * shared + word)[:, None] * length + window
        self.skipped = np.sort(cell[asks])
        self.skipped_before = np.searchsorted(self.skipped, np.arange(blocks + 1) * shared * length)  # of each block

        # Terms: a candidate has those of all windows, a hidden vector those of all candidates.
        each = self.share * np.bincount(self.skipped // length, minlength=blocks * shared)  # of a noise word
        of_window = self.skipped // (shared * length) * length + self.skipped % length
        less = self.share * np.bincount(of_window, minlength=blocks * length)  # of a window
        hidden = self.pairs_of * np.float32(1 + self.settings.negatives)
        hidden -= less.reshape(blocks, length)
        self.all_terms = np.zeros(self.rows.shape, np.float32)
        sources, true_words, noise_words = np.split(self.all_terms, [self.sources, self.sources + self.true], axis=1)
        noise_words[:] = self.share * self.pairs_of.sum(axis=1)[:, None] - each.reshape(noise.shape)
        if self.skip_gram:
            sources[:] = hidden
            for first, seen in enumerate(near):
                true_words[:, first : first + length] += seen
        else:
            true_words[:], self.hidden_terms = self.pairs_of, hidden[:, :, None]

    def prepare(self, batch: Batch) -> int:
        """Take the rows and terms of a batch, and write its weights; return the number of pairs."""
        at, weight = batch.at, self.weight[: self.used]
        self.row, self.terms = self.rows[at], self.all_terms[at]
        weight[:] = (self.share * self.pairs_of[at])[:, None]
        skipped = self.skipped[self.skipped_before[at.start] : self.skipped_before[at.stop]]
        np.subtract.at(weight.reshape(-1), skipped - at.start * weight[0].size, self.share)
        if not self.skip_gram:
            # Sources get back the terms of the hidden vectors they are mixed into, by the weights of the mixture.
            self.band[:, : self.used] = self.near[:, at] * self.mixing[at]
            np.matmul(self.reach[: self.used], self.hidden_terms[at], out=self.terms[:, : self.sources, None])
        return int(np.count_nonzero(self.yes[:, at])) if batch.measured else 0

    def answer(self, scores: Floats) -> None:
        """Replace S by w · σ(S) − w⁺, in place."""
        # Noise has w⁺ = 0, so that d = w · σ(s) = w / (1 + e^−s).
        noise = scores[:, self.true :]
        odds = front(self._buffer[0], noise.shape)
        np.exp(np.negative(noise, out=odds), out=odds)
        odds += 1
        np.divide(self.weight[: self.used], odds, out=noise)
        # True words have w⁺ = w = 1 where they are asked: d = σ(s) − 1 = −1 / (1 + e^s). Elsewhere it is 0.
        asked, yes = self.asked[:, : self.used], self.yes[:, self.batch.at]
        odds, minus = front(self._buffer[0], yes.shape), front(self._buffer[1], yes.shape)
        np.exp(asked, out=odds)
        odds += 1
        np.multiply(yes, np.float32(-1), out=minus)
        scores[:, : self.true] = 0
        np.divide(minus, odds, out=asked)

    def loss_of(self, scores: Floats) -> float:
        """Return Σ w · log(1 + exp(−y·s)), in nats, with y = 1 for true words and −1 for noise."""
        # −log σ(s) = log(1 + e^−s) for true words, −log σ(−s) = log(1 + e^s) for noise: turn the sign of the former.
        loss = 0.0
        noise, asked = scores[:, self.true :], self.asked[:, : self.used]
        for signed, weight in (noise, self.weight[: self.used]), (-asked, self.yes[:, self.batch.at]):
            score, term = (front(buffer, weight.shape) for buffer in self._buffer)
            np.copyto(score, signed)
            softplus(score, term)
            term *= weight
            loss += float(term.sum(dtype=np.float64))
        return loss
