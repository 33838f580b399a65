"""Sparse sums: a mini-batch touches few rows of a table, so its gradient is stored as those rows.

A hidden vector is a weighted sum of a few rows of a table, and the gradient goes back to the same rows. Both are
products with a (B, V) matrix M that has few nonzero columns:

    hidden = M · table          d_table = Mᵀ · d_hidden

The transposed product is the scatter-add that `np.add.at` does one row at a time (1.6 µs a row of 100 floats against
0.1 µs here): rows that repeat are summed first, then each row of the table is written once.

Shapes   B rows of the batch, V of the table, R ≤ V of the table that are touched, M nonzero entries, D vector size.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from w2v_core.arrays import Floats, Integers

CHUNK = 1 << 9  # rows gathered at a time: they stay in the cache, which is twice as fast
DENSE = 1 << 13  # entries B · R up to which a dense matrix is faster than a sparse one


class Rows(NamedTuple):
    """The gradient of a table, as its rows that are not zero."""

    row: NDArray[np.intp]  # (R,), each once
    gradient: Floats  # (R, D)
    terms: Floats | Integers  # (R,) how many terms of the loss each row takes part in: the n of damping


class Matrix(NamedTuple):
    """A (B, V) matrix, stored as its nonzero columns."""

    column: NDArray[np.intp]  # (R,), ascending
    place: NDArray[np.intp]  # (M,) index in `column` of each entry's column
    entries: Any  # (B, R), a dense or a sparse array: both have @ and .T

    def __matmul__(self, table: Floats) -> Floats:
        """Return M · table, (B, D), of a table (V, D)."""
        product: Floats = self.entries @ table[self.column]
        return product

    def transposed(self, other: Floats) -> Floats:
        """Return the nonzero rows of Mᵀ · other, (R, …), one for each of `column`; `other` is (B, …)."""
        product: Floats = self.entries.T @ other
        return product


def matrix(row: Integers, column: Integers, value: Floats, shape: tuple[int, int]) -> Matrix:
    """Return the (B, V) matrix with the given entries, each column (M,). Entries at the same place are summed.

    `row` must not decrease.
    """
    # Of V columns only R occur. Numbering these 0 … R − 1 makes the matrix as small as the batch, whatever V is.
    used, place = distinct(column, shape[1])
    size = (shape[0], len(used))
    if size[0] * size[1] <= DENSE:
        # A few thousand cells: BLAS on a dense array beats the overhead of a sparse one.
        cell = row * len(used) + place
        return Matrix(used, place, _sums(cell, value, size[0] * size[1]).reshape(size))
    # Rows do not decrease, so the entries are in CSR order already: only where each row begins is to be counted.
    begin = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    return Matrix(used, place, csr_array((value, place, begin), shape=size))


def distinct(column: Integers, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the numbers below `size` that occur, ascending (R,), and the index of each entry among them (M,).

    The result of np.unique with its inverse, without its sort.
    """
    occurs = np.zeros(size, np.bool_)
    occurs[column] = True
    used = np.flatnonzero(occurs)
    place = np.empty(size, np.intp)
    place[used] = np.arange(len(used))
    return used, place[column]


def _sums(cell: Integers, value: Floats, size: int) -> Floats:
    """Sum the values that share a cell, in float64: (size,)."""
    return np.bincount(cell, weights=value, minlength=size).astype(value.dtype)


def descend(table: Floats, gradient: Rows, learning_rate: float, damping: float, frozen: NDArray[np.bool_]) -> None:
    """Update the table (V, D) in place: θ ← θ − g · min(η, damping / n) for a row with n terms.

    Rows of `frozen` (V,) stay as they are. All terms of a batch are computed from the same stale row, so that for a
    frequent word the plain sum of hundreds of them overshoots once η · n is large, whatever the batch size. A row
    therefore moves by at most damping × the mean of its terms; up to η · n = damping this is plain gradient descent.
    """
    # η · damping / max(η · n, damping) is min(η, damping / n) without a division by n, which may be 0.
    factor = learning_rate * damping / np.maximum(learning_rate * gradient.terms, damping) * ~frozen[gradient.row]
    step = factor.astype(table.dtype)[:, None]
    # Each row occurs once in the gradient, so a plain subtraction is enough; in chunks, which stay in the cache.
    for start in range(0, len(step), CHUNK):
        part = slice(start, start + CHUNK)
        table[gradient.row[part]] -= step[part] * gradient.gradient[part]
