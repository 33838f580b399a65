"""Stratified noise words: one from each of K strata of equal probability.

Together, K such words have the expectation of K independent draws and less variance: a frequent word comes up as often
as it should, not as chance has it. With shared noise words, where K is small, this is worth about as much as twice as
many of them.

    words by number   0 ─────────┬─ 1 ──┬─ 2 ─┬ 3 ┬ 4 ┬ …            widths are probabilities
    strata            0    │    1    │    2    │    3    │ …         each 1/K; a word may lie in several

Shapes   V words, K strata, E < V + K entries: the parts into which the borders of the strata cut the words.
Source   Stratified sampling: Neyman 1934. Alias method: Walker 1977.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.vocabulary import alias_table


class Strata:
    """K strata of a distribution, each drawn by Walker's alias method: exact, three look-ups a draw."""

    def __init__(self, probability: NDArray[np.float64], strata: int) -> None:
        """Cut `probability` (V,), which sums to one, into K = `strata` parts of 1/K."""
        self.strata = strata
        # Lay the words on a line of length 1. Cut it at the ends of the words and at the borders of the strata: each
        # piece, an entry, then belongs to one word and to one stratum.
        border = np.arange(1, strata) / strata
        end = np.cumsum(probability)
        end[-1] = 1.0
        cut = np.union1d(end, border)
        size = np.diff(cut, prepend=0.0)
        stratum = np.searchsorted(border, cut)  # an entry belongs to the stratum that it ends in
        self._word = np.searchsorted(end, cut).astype(np.int32)
        self._size = np.bincount(stratum, minlength=strata)
        self._first = np.cumsum(self._size) - self._size
        # One alias table for each stratum, over the lengths of its pieces; all tables lie one after the other.
        tables = [alias_table(part / part.sum()) for part in np.split(size, self._first[1:])]
        self._threshold = np.concatenate([threshold for threshold, _ in tables])
        alias = np.concatenate([alias + first for (_, alias), first in zip(tables, self._first, strict=True)])
        self._alias_word = self._word[alias]

    def draw(self, sets: int, *, rng: np.random.Generator) -> NDArray[np.int32]:
        """Draw `sets` sets of words, (sets, K): column k comes from stratum k."""
        # One uniform number serves twice: its integer part chooses the column, its fraction the word or its alias.
        place = rng.random((sets, len(self._size))) * self._size
        column = place.astype(np.intp)
        place -= column  # uniform on 0 … 1 again
        column = np.minimum(column, self._size - 1) + self._first
        own = place < self._threshold[column]
        word: NDArray[np.int32] = np.where(own, self._word[column], self._alias_word[column])
        return word
