"""What a count says about a word: how often it is kept, and how often it serves as noise.

Shapes   V words; counts (V,) occurrences in the corpus.
Source   Mikolov et al. 2013 (arXiv:1310.4546), sections 2.2 and 2.3; the keep probability is the one of word2vec.c.
"""

import numpy as np
from numpy.typing import NDArray


def keep_probabilities(counts: NDArray[np.int64], subsample: float) -> NDArray[np.float32]:
    """Probability (V,) that an occurrence of each word survives subsampling: min(1, √(t/f) + t/f).

    f is the word's share of all counted occurrences and t = `subsample`; t = 0 keeps everything.
    A word never counted (possible in a fixed vocabulary) is kept.
    """
    if subsample == 0 or counts.sum() == 0:
        return np.ones(len(counts), np.float32)
    frequency = np.maximum(counts, 1) / counts.sum()
    keep: NDArray[np.float64] = np.minimum(1.0, np.sqrt(subsample / frequency) + subsample / frequency)
    return keep.astype(np.float32)


class Noise:
    """Draws noise words with P(w) ∝ count(w) ** exponent, by Walker's alias method: exact, two look-ups a draw.

    Every word gets a column of height 1/V, filled up by at most one other word, its alias.
    """

    def __init__(self, counts: NDArray[np.int64], exponent: float) -> None:
        weights = np.maximum(counts, 1).astype(np.float64) ** exponent
        self.probability = weights / weights.sum()
        self._threshold, self._alias = alias_table(self.probability)

    def draw(self, shape: tuple[int, ...], *, rng: np.random.Generator) -> NDArray[np.int32]:
        column = rng.integers(len(self._alias), size=shape, dtype=np.int32)
        own = rng.random(shape, dtype=np.float32) < self._threshold[column]
        return np.where(own, column, self._alias[column])


def alias_table(probability: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Walker's table: column i is word i with probability threshold[i], else alias[i]."""
    size = len(probability)
    height = probability * size
    threshold, alias = np.ones(size), np.arange(size, dtype=np.int32)
    small, large = list(np.flatnonzero(height < 1)), list(np.flatnonzero(height >= 1))
    while small and large:
        low, high = small.pop(), large[-1]
        threshold[low], alias[low] = height[low], high
        height[high] -= 1 - height[low]
        if height[high] < 1:
            small.append(large.pop())
    return threshold.astype(np.float32), alias
