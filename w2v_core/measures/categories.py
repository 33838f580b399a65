"""Categorisation: is the category nearest to a word its own, when the word itself is left out?

Shapes   N words, each in one of C categories, D vector size.
Source   The nearest-centroid classifier, judged by leave-one-out.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Floats, Integers


def nearest_category(unit: Floats, category: Integers) -> tuple[NDArray[np.intp], Floats]:
    """Return each word's nearest category (N,), and its margin (N,): cosine to its own minus to the nearest other.

    `unit` (N, D) are vectors of length one, `category` (N,) numbers 0 … C − 1. A category is the mean direction of its
    words without the word that is judged, so there must be at least two categories of at least two words each.
    """
    # The direction of a mean is that of a sum.
    sums = np.zeros((category.max() + 1, unit.shape[1]), unit.dtype)
    np.add.at(sums, category, unit)
    row = np.arange(len(unit))
    cosines = unit @ _directions(sums).T
    # A word would pull its own category towards itself: take it out of that sum, and of that one only.
    own = np.einsum("nd,nd->n", unit, _directions(sums[category] - unit))
    # Hide the own category to find the nearest other, then put the corrected cosine in its place.
    cosines[row, category] = -np.inf
    margin: Floats = own - cosines.max(axis=1)
    cosines[row, category] = own
    return cosines.argmax(axis=1), margin


def _directions(rows: Floats) -> Floats:
    """Return the rows at length one; a row of zeros stays one."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    directions: Floats = rows / np.where(length > 0, length, 1)
    return directions
