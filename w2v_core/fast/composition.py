"""Words made of subwords on blocks: formed once in a batch for each distinct word, and taught once.

    h_w = 1/n_w · (z_w + Σ_g z_g)       before the products, for each distinct word w among the sources
    Δ_w = −Σ step · d_h                 after them, over the places of w: how far w would move if it were one row
    z_w += Δ_w,  z_g += Σ_w Δ_w         to its own row, and to the row of each of its n-grams

So each row gets the whole gradient of the mean, as in fastText, not 1/n_w of it: h_w then moves by Δ_w, however many
n-grams it has, and by what its n-grams learn from other words.

What that changes: fastText sums the rows of a word again for each pair, this once for all windows of a batch, from rows
as they are when the batch begins. A sum of rows costs as much as n_w gradients, and a batch of 1,024 windows has some
550 distinct words: this is what makes it fast.

Shapes   U distinct words of a batch, S places of sources, N n-grams of all U words, D vector size.
Source   Bojanowski et al. 2017 (arXiv:1607.04606); what a row gets: FastText::skipgram and Model::update, 0.9.2.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2v_core.fast.adding import Floats, Places, add_rows
from w2v_core.fast.shard import Integers
from w2v_core.sparse import distinct
from w2v_core.subwords import Parts


class Used(NamedTuple):
    """The words of one batch."""

    own: Places  # (U,) of the table: the words' own rows
    place: Places  # (S,) which of them each source is
    row: Places  # (N,) of the n-grams' table
    word: Places  # (N,) which of the U words it belongs to
    share: Floats  # (U, 1) 1/n_w


class Composition:
    """The words of a batch as sums of rows; changes the rows in place."""

    def __init__(self, parts: Parts, places: int, size: int) -> None:
        """Allocate room for batches of at most `places` sources, of `size` = D."""
        self.parts, self.share = parts, np.float32(1) / parts.size
        self._vector, self._step = np.zeros((2, places, size), np.float32)
        self._one = np.ones(places, np.float32)

    def begin(self, word: Integers, blocks: int) -> None:
        """Look up the words (all blocks, S/blocks) of the coming batches, each of `blocks` blocks."""
        starts = range(0, len(word), blocks)
        self.used = {first: self._of(word[first : first + blocks].ravel()) for first in starts}

    def form(self, first: int, out: Floats, table: Floats) -> None:
        """Write the vector of each source to `out` (…, D), of the batch whose blocks begin at number `first`."""
        used = self.used[first]
        vector = self._vector[: len(used.own)]
        table.take(used.own, axis=0, out=vector, mode="clip")
        add_rows(vector, used.word, self._ones(used), self.parts.table, used.row)
        vector *= used.share
        out[:] = vector.take(used.place, axis=0).reshape(out.shape)

    def learn(self, first: int, step: Floats, gradient: Floats, place: Places) -> None:
        """Add to the rows of n-grams: step[s] · gradient[place[s]] is what source s moves by."""
        used = self.used[first]
        moved = self._step[: len(used.own)]
        moved[:] = 0
        add_rows(moved, used.place, step, gradient, place)
        add_rows(self.parts.table, used.row, self._ones(used), moved, used.word)

    def _of(self, word: NDArray[np.integer]) -> Used:
        words, place = distinct(word, len(self.share))
        first = self.parts.start[words]
        length = self.parts.start[words + 1] - first
        which = np.repeat(np.arange(len(words)), length)
        before = np.cumsum(length) - length
        row = self.parts.row[np.arange(len(which)) + (first - before)[which]]
        return Used(2 * words, place, row, which, self.share[words][:, None])

    def _ones(self, used: Used) -> Floats:
        if len(self._one) < len(used.row):
            self._one = np.ones(2 * len(used.row), np.float32)
        return self._one[: len(used.row)]
