"""Do words lie with their kind: is the category nearest to a word, judged by its other words, the word's own?

Shapes   N words, each in one of C categories, D vector size.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.sparse import Floats, Integers


def nearest_category(unit: Floats, category: Integers) -> tuple[NDArray[np.intp], Floats]:
    """Each word's nearest category (N,), and by how much its own is nearer than the nearest other.

    A category is the mean direction of its words; the word that is judged is left out of its own. So each of the at
    least two categories needs at least two words.
    """
    sums = np.zeros((category.max() + 1, unit.shape[1]), unit.dtype)
    np.add.at(sums, category, unit)
    row = np.arange(len(unit))
    cosines = unit @ _directions(sums).T
    own = np.einsum("nd,nd->n", unit, _directions(sums[category] - unit))
    cosines[row, category] = -np.inf
    margin: Floats = own - cosines.max(axis=1)
    cosines[row, category] = own
    return cosines.argmax(axis=1), margin


def _directions(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    directions: Floats = rows / np.where(length > 0, length, 1)
    return directions
