"""Sparse sums: a mini-batch touches few rows of a table, so its gradient is kept as those rows.

A hidden vector is a weighted sum of a few rows of a table, and so is the gradient it receives: both are products with
a (B, V) matrix that has few nonzero columns,

    hidden = M · table          d_table = Mᵀ · d_hidden

The transposed product is the scatter-add that `np.add.at` would do one row at a time (1.6 µs a row of 100 floats
against 0.1 µs): rows that repeat are summed before the table is written, once each.

Shapes   B rows of the batch, V of the table, R ≤ V of the table that are touched, M nonzero entries, D vector size.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.floating]  # float32; float64 in gradient checks
Integers = NDArray[np.integer]

CHUNK = 1 << 9  # rows gathered at a time: they stay in the cache, which makes it twice as fast
DENSE = 1 << 13  # entries B · R up to which a dense matrix is quicker than a sparse one


class Rows(NamedTuple):
    """A gradient of a table, as the rows that are not zero."""

    row: NDArray[np.intp]  # (R,), each once
    gradient: Floats  # (R, D)
    terms: Floats | Integers  # (R,) how many terms of the loss each row takes part in: the n of damping


class Matrix(NamedTuple):
    """The nonzero columns of a (B, V) matrix."""

    column: NDArray[np.intp]  # (R,), ascending
    place: NDArray[np.intp]  # (M,) where in `column` the entry's column is
    entries: Any  # (B, R), a dense or a sparse array: both know @ and .T

    def __matmul__(self, table: Floats) -> Floats:
        product: Floats = self.entries @ table[self.column]
        return product

    def transposed(self, other: Floats) -> Floats:
        """The rows of Mᵀ · other that are not zero: (R, …), one for each of `column`."""
        product: Floats = self.entries.T @ other
        return product


def matrix(row: Integers, column: Integers, value: Floats, shape: tuple[int, int]) -> Matrix:
    """The (B, V) matrix with the given entries, those at the same place summed. `row` must not decrease."""
    used, place = distinct(column, shape[1])
    size = (shape[0], len(used))
    if size[0] * size[1] <= DENSE:
        cell = row * len(used) + place
        return Matrix(used, place, _sums(cell, value, size[0] * size[1]).reshape(size))
    begin = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    return Matrix(used, place, csr_array((value, place, begin), shape=size))


def distinct(column: Integers, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The numbers that occur, ascending, and where each entry's number is among them: np.unique without the sort."""
    occurs = np.zeros(size, np.bool_)
    occurs[column] = True
    used = np.flatnonzero(occurs)
    place = np.empty(size, np.intp)
    place[used] = np.arange(len(used))
    return used, place[column]


def _sums(cell: Integers, value: Floats, size: int) -> Floats:
    return np.bincount(cell, weights=value, minlength=size).astype(value.dtype)


def descend(table: Floats, gradient: Rows, learning_rate: float, damping: float, frozen: NDArray[np.bool_]) -> None:
    """In place: θ ← θ − η · g, for a row with n terms by at most damping × their mean, for a frozen one not at all.

    All terms of a batch are computed from the same stale row. For a frequent word the plain sum of hundreds of them
    overshoots once η · n is large, whatever the batch size; up to η · n = damping this is plain gradient descent.
    """
    factor = learning_rate * damping / np.maximum(learning_rate * gradient.terms, damping) * ~frozen[gradient.row]
    step = factor.astype(table.dtype)[:, None]
    for start in range(0, len(step), CHUNK):
        part = slice(start, start + CHUNK)
        table[gradient.row[part]] -= step[part] * gradient.gradient[part]
