"""Noise words spread evenly over their distribution: one from each of K strata of equal probability.

Taken together, K such words have the expectation of K independent draws and less spread: frequent words come up as
often as they should, not as often as luck has it (stratified sampling). With shared noise words, where K is small, that
is worth about as much as twice as many of them.

    words by number   0 ─────────┬─ 1 ──┬─ 2 ─┬ 3 ┬ 4 ┬ …            widths are probabilities
    strata            0    │    1    │    2    │    3    │ …         each 1/K; a word may lie in several

Shapes   V words, K strata, E ≤ V + K entries: the parts into which the borders of the strata cut the words.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.vocabulary import alias_table


class Strata:
    """Draws from `probability` (V,) by Walker's alias method within each stratum: exact, three look-ups a draw."""

    def __init__(self, probability: NDArray[np.float64], strata: int) -> None:
        border = np.arange(1, strata) / strata
        end = np.cumsum(probability)
        end[-1] = 1.0
        cut = np.union1d(end, border)
        size = np.diff(cut, prepend=0.0)
        stratum = np.searchsorted(border, cut)  # an entry belongs to where it ends
        self._word = np.searchsorted(end, cut).astype(np.int32)
        self._size = np.bincount(stratum, minlength=strata)
        self._first = np.cumsum(self._size) - self._size
        tables = [alias_table(part / part.sum()) for part in np.split(size, self._first[1:])]
        self._threshold = np.concatenate([threshold for threshold, _ in tables])
        alias = np.concatenate([alias + first for (_, alias), first in zip(tables, self._first, strict=True)])
        self._alias_word = self._word[alias]

    def draw(self, sets: int, *, rng: np.random.Generator) -> NDArray[np.int32]:
        """(sets, K) words, column k from stratum k."""
        place = rng.random((sets, len(self._size))) * self._size
        column = place.astype(np.intp)
        place -= column  # what is left is uniform again, and decides between the word and its alias
        column = np.minimum(column, self._size - 1) + self._first
        own = place < self._threshold[column]
        word: NDArray[np.int32] = np.where(own, self._word[column], self._alias_word[column])
        return word
