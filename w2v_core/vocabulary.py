"""What follows from a word's count: how often it is kept in subsampling, and how often it is drawn as noise.

Shapes   V words; counts (V,) occurrences in the corpus.
Source   Mikolov et al. 2013b (arXiv:1310.4546), section 2.2 (noise) and 2.3 (subsampling). The keep probability is
         word2vec.c's, which differs from the paper's √(t/f). Alias method: Walker 1977.
"""

import numpy as np
from numpy.typing import NDArray


def keep_probabilities(counts: NDArray[np.int64], subsample: float) -> NDArray[np.float32]:
    """Return the probability (V,) that an occurrence of each word survives subsampling: min(1, √(t/f) + t/f).

    f is the word's share of all counted occurrences and t = `subsample`; t = 0 keeps everything.
    A word that was never counted (possible in a fixed vocabulary) counts as one occurrence, so that it is kept.
    """
    if subsample == 0 or counts.sum() == 0:
        return np.ones(len(counts), np.float32)
    # A word rarer than t is always kept; beyond that its kept occurrences grow like √f instead of f.
    frequency = np.maximum(counts, 1) / counts.sum()
    keep: NDArray[np.float64] = np.minimum(1.0, np.sqrt(subsample / frequency) + subsample / frequency)
    return keep.astype(np.float32)


class Noise:
    """The noise distribution P(w) ∝ count(w) ** exponent, drawn by Walker's alias method: exact, two look-ups a draw.

    `probability` (V,) sums to one. The exponent 1 stands for the words' own frequencies, 0 for all words alike, and
    a negative one for rare words more often than frequent ones. Mikolov et al. found 0.75 by trying, for text; for
    items Caselles-Dupré et al. 2018 (arXiv:1804.04212) found others, of both signs.
    """

    def __init__(self, counts: NDArray[np.int64], exponent: float) -> None:
        """Take the words' counts (V,); a word that was never counted counts once, so that it can be drawn."""
        weights = np.maximum(counts, 1).astype(np.float64) ** exponent
        self.probability = weights / weights.sum()
        self._threshold, self._alias = alias_table(self.probability)

    def draw(self, shape: tuple[int, ...], *, rng: np.random.Generator) -> NDArray[np.int32]:
        """Draw independent word ids of the given shape."""
        # Choose a column uniformly, then one of its two words: no search through cumulative probabilities.
        column = rng.integers(len(self._alias), size=shape, dtype=np.int32)
        own = rng.random(shape, dtype=np.float32) < self._threshold[column]
        return np.where(own, column, self._alias[column])


def alias_table(probability: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return (threshold, alias), each (V,): column i gives word i with probability threshold[i], else alias[i].

    `probability` (V,) must sum to one.
    """
    # Scale by V: the bars then have mean height 1, and the aim is V columns of exactly that height.
    size = len(probability)
    height = probability * size
    threshold, alias = np.ones(size), np.arange(size, dtype=np.int32)
    small, large = list(np.flatnonzero(height < 1)), list(np.flatnonzero(height >= 1))
    # Fill each bar that is too low with a piece of one that is too high; the donor may become low in turn. Every step
    # completes one column, so V steps suffice. Columns that are left over at the end are 1 up to rounding.
    while small and large:
        low, high = small.pop(), large[-1]
        threshold[low], alias[low] = height[low], high
        height[high] -= 1 - height[low]
        if height[high] < 1:
            small.append(large.pop())
    return threshold.astype(np.float32), alias
