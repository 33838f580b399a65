"""How a space of words has changed: two trainings never share their axes, so one is first turned onto the other.

    R = argmin ‖A R − B‖_F over orthogonal R = U Vᵀ, where U Σ Vᵀ = AᵀB          rotations and mirrorings only

Cosines within a space are untouched by R; what still differs after it has moved.

Shapes   V shared words, D the larger of the two vector sizes: the smaller space lies in the larger one.
Source   Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem"; for word vectors that change
         with their corpus: Hamilton, Leskovec & Jurafsky 2016 (ACL), eq. 4.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes

from w2v_core.measures.similarity import Vectors
from w2v_core.sparse import Floats


class Change(NamedTuple):
    """What became of each word (V,)."""

    cosine: Floats  # between where it was and where it is, after alignment
    overlap: NDArray[np.float64]  # share of its k nearest words that are the same
    before: NDArray[np.intp]  # its k nearest words (V, k), nearest first
    after: NDArray[np.intp]


def align(table: Floats, reference: Floats) -> Floats:
    """The unit rows of `table`, turned so that they lie as near to the unit rows of `reference` as they can (V, D)."""
    unit = Vectors(table).unit
    return turned(unit, rotation(unit, reference))


def rotation(table: Floats, reference: Floats) -> Floats:
    """R (D, D) for the unit rows of two tables of the same words."""
    size = max(table.shape[1], reference.shape[1])
    ours, theirs = (_padded(Vectors(rows).unit, size) for rows in (table, reference))
    found: Floats = orthogonal_procrustes(ours, theirs)[0]
    return found


def turned(table: Floats, by: Floats) -> Floats:
    """Any rows of a space (…, D) in the axes of the reference; lengths and similarities stay."""
    rows: Floats = _padded(table, len(by)) @ by
    return rows


def change(before: Floats, after: Floats, k: int) -> Change:
    """Compare two tables of the same words; `before` is the reference."""
    old, new = Vectors(before), Vectors(after)
    size = max(before.shape[1], after.shape[1])
    cosine: Floats = np.einsum("vd,vd->v", align(new.unit, old.unit), _padded(old.unit, size))
    every = np.arange(len(before))
    near_old, near_new = (space.most_similar(every, k).word for space in (old, new))
    overlap = (near_old[:, :, None] == near_new[:, None, :]).any(axis=2).mean(axis=1)
    return Change(cosine, overlap, near_old, near_new)


def _padded(rows: Floats, size: int) -> Floats:
    return np.pad(rows, [(0, 0), (0, size - rows.shape[1])])
