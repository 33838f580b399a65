"""Negative sampling on blocks (blocks.py), for skip-gram and CBOW.

Skip-gram with negative sampling minimises, over the pairs of a center word i and a context word j,

    −log σ(u_j·v_i) − n · E[log σ(−u_k·v_i)]          k drawn from the noise distribution, n = `negatives`

The candidates of a block are first the words that may be true, then K noise words shared by its windows:

                  true candidates              w⁺                                    noise words          w⁻
    skip-gram     u of T + 2m words around     1 where j is in the context of i      u of K words         w_ki
    CBOW          u of the T words             1 on the diagonal

Noise word k weighs n/K for each pair of window i whose true word is another: w_ki = n/K · Σ_j [k ≠ j] · w⁺_ji. The
expected gradient is therefore that of n draws for each pair. One word comes from each K-th of the noise distribution.

Shapes   as in blocks.py; K = `shared_negatives` noise words of a block.
Source   Mikolov et al. 2013b (arXiv:1310.4546), eq. 4; shared noise words: Ji et al. 2016 (arXiv:1604.04661).
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from w2v_core.fast.blocks import Batch, Blocks, Floats, Integers, band, softplus
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
        around, length = settings.block_length + 2 * settings.window, settings.block_length
        candidates = (around if settings.architecture == "skip_gram" else length) + settings.shared_negatives
        super().__init__(settings, model, np.repeat(frozen, 2), candidates)
        self.strata = strata
        # For skip-gram the context mask is the weight matrix of the true words, so one buffer is both. For CBOW each
        # window has one true word, on the diagonal, and the mask forms the hidden vectors.
        weight = self._weight.reshape(self.blocks, candidates, length)
        self.reach = weight[:, :around] if self.skip_gram else np.zeros((self.blocks, around, length), np.float32)
        self.band = band(self.reach, settings.window)
        self.diagonal = as_strided(weight, self.band.shape[1:], (weight.strides[0], sum(weight.strides[1:])))
        self.differs = np.zeros((self.blocks, settings.shared_negatives, self.true), np.float32)

    def draw(self, sets: int, *, rng: np.random.Generator) -> Integers:
        """Draw the output rows of the noise words of `sets` blocks, (sets, K)."""
        return 2 * self.strata.draw(sets, rng=rng) + 1

    def weigh(self, batch: Batch, near: NDArray[np.bool_]) -> int:
        """Lay out the true words and the noise words; return the number of pairs."""
        self.lay_out(self.true + self.settings.shared_negatives)
        # Rows: the sources, the words to be predicted, the noise words. The first two lie in the shard already.
        noise, true, at = batch.noise, batch.stack.row[:, self.sources :], slice(self.used)
        self.row[:, : -noise.shape[1]] = batch.stack.row
        self.row[:, -noise.shape[1] :] = noise

        # w⁺: skip-gram has a pair for each word in a context, CBOW one for each window that has any context.
        self.band[:, at] = near
        pairs = np.count_nonzero(near)
        if not self.skip_gram:
            reach = self.reach[at]
            context = reach.sum(axis=1)  # (B, T) words in the context
            # reach is near so far: its column sums are n. Dividing by n makes H = reachᵀ·X the mean of the context.
            self.diagonal[at] = context > 0
            pairs = np.count_nonzero(context)
            if self.settings.combination == "mean":
                reach /= np.maximum(context, 1)[:, None]

        # w⁻ = n/K · Σ_j [k ≠ j] · w⁺_ji, a matrix product: a noise word is skipped for pairs whose target it is.
        share = np.float32(self.settings.negatives / noise.shape[1])
        differs = np.multiply(noise[:, :, None] != true[:, None], share, out=self.differs[at])
        np.matmul(differs, self.weight[:, : self.true], out=self.weight[:, self.true :])
        return int(pairs)

    def answer(self, tanh: Floats) -> None:
        """Replace tanh(S/2) by w · tanh(S/2) − (w⁺ − w⁻), in place."""
        # A question is either true (w⁺ = w, so tanh − 1) or noise (w⁻ = w, so tanh + 1), never both.
        tanh[:, : self.true] -= 1
        tanh[:, self.true :] += 1
        tanh *= self.weight

    def loss_of(self, scores: Floats, terms: Floats) -> float:
        """Return Σ w · log(1 + exp(−y·s)), in nats, with y = 1 for true words and −1 for noise."""
        # −log σ(s) = log(1 + e^−s) for true words, −log σ(−s) = log(1 + e^s) for noise: turn the sign of the former.
        scores[:, : self.true] *= -1
        softplus(scores, terms)
        terms *= self.weight
        return float(terms.sum(dtype=np.float64))
