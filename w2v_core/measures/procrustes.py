"""Change of a space of words: no two trainings share their axes, so one space is first rotated onto the other.

    R = argmin ‖A R − B‖_F over orthogonal R;   R = U Vᵀ, where U Σ Vᵀ = AᵀB          rotations and reflections only

R leaves all cosines within a space as they are. A word that still differs after it has changed its place.

Shapes   V shared words, D the larger of the two vector sizes: the smaller space lies in the larger one.
Source   Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem"; for word vectors that change
         with their corpus: Hamilton, Leskovec & Jurafsky 2016 (ACL), eq. 4.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes

from w2v_core.arrays import Floats
from w2v_core.measures.similarity import Vectors


class Change(NamedTuple):
    """The change of each word."""

    cosine: Floats  # (V,) of its old and its new vector, after alignment
    overlap: NDArray[np.float64]  # (V,) share of its k nearest words that are the same
    before: NDArray[np.intp]  # (V, k) its nearest words, nearest first
    after: NDArray[np.intp]  # (V, k)


def align(table: Floats, reference: Floats) -> Floats:
    """Return the unit rows of `table`, rotated as near to the unit rows of `reference` as possible, (V, D)."""
    unit = Vectors(table).unit
    return turned(unit, rotation(unit, reference))


def rotation(table: Floats, reference: Floats) -> Floats:
    """Return R (D, D) for the unit rows of two tables of the same words, in the same order."""
    # Rows of length one: each word counts alike, however long, that is how frequent, its vector is. Columns of zeros
    # place the smaller space in the larger one; they change neither lengths nor cosines.
    size = max(table.shape[1], reference.shape[1])
    ours, theirs = (_padded(Vectors(rows).unit, size) for rows in (table, reference))
    found: Floats = orthogonal_procrustes(ours, theirs)[0]
    return found


def turned(table: Floats, by: Floats) -> Floats:
    """Return rows of a space in the axes of the reference, (…, D); lengths and cosines stay as they are."""
    rows: Floats = _padded(table, len(by)) @ by
    return rows


def change(before: Floats, after: Floats, k: int) -> Change:
    """Compare two tables of the same words, with k nearest words each; `before` is the reference."""
    old, new = Vectors(before), Vectors(after)
    # First view: how far the word itself moved, once the spaces share their axes.
    size = max(before.shape[1], after.shape[1])
    cosine: Floats = np.einsum("vd,vd->v", align(new.unit, old.unit), _padded(old.unit, size))
    # Second view: which words are near, which needs no alignment.
    every = np.arange(len(before))
    near_old, near_new = (space.most_similar(every, k).word for space in (old, new))
    # Every old neighbour against every new one, (V, k, k): the share of the old that is found among the new.
    overlap = (near_old[:, :, None] == near_new[:, None, :]).any(axis=2).mean(axis=1)
    return Change(cosine, overlap, near_old, near_new)


def _padded(rows: Floats, size: int) -> Floats:
    return np.pad(rows, [(0, 0), (0, size - rows.shape[1])])
