"""Vectors of documents, made of the vectors of their words.

    mean   v(d) = 1/|d| Σ_{w ∈ d} v_w
    sif    v(d) = x − u uᵀx,   x = 1/|d| Σ_{w ∈ d} a/(a + p(w)) v_w          smooth inverse frequency

p(w) is the share of the word in the text that was learnt from, u the first principal direction of the documents (their
second moment is not centred). Arora et al. take it from the documents at hand, so that the vector of one depends on the
others. Here it is that of documents of L words drawn by their frequency, in closed form, so that it depends on none:

    E[x xᵀ] = m mᵀ + (S − m mᵀ)/L,   m = Σ p(w) α_w v_w,   S = Σ p(w) α_w² v_w v_wᵀ,   α_w = a/(a + p(w))

Shapes   V words, D vector size. A document without a known word is all zeros.
Source   Arora, Liang & Ma 2017 (ICLR), algorithm 1; a = 10⁻³ is theirs.

This module imports NumPy alone: every logged model carries a copy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

A = 1e-3
LENGTH = 20  # L, words
CHUNK = 1_024  # rows of the table at a time
WEIGHTINGS = ("sif", "mean")


class Documents:
    """A table of vectors (V, D), which may be mapped, with the counts of its words (V,)."""

    def __init__(self, table: NDArray[np.float32], counts: NDArray[np.integer[Any]]) -> None:
        self._table = table
        share = counts / max(1, counts.sum())
        self._weight = A / (A + share)  # α
        self._common = _common(table, share, self._weight)

    def vectors(self, documents: Sequence[Sequence[int]], weighting: str = "sif") -> NDArray[np.float32]:
        """Return the vector of each document (N, D), given as the rows of its words."""
        found = np.zeros((len(documents), self._table.shape[1]))
        for number, rows in enumerate(documents):
            if len(rows):
                taken = self._table[np.asarray(rows, np.intp)].astype(np.float64)
                weight = self._weight[np.asarray(rows, np.intp)] if weighting == "sif" else np.ones(len(rows))
                found[number] = np.einsum("w,wd->d", weight, taken) / len(rows)
                if weighting == "sif":
                    found[number] -= np.einsum("d,d->", found[number], self._common) * self._common
        return found.astype(np.float32)


def _common(table: NDArray[np.float32], share: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return u, of length one; zeros for a table of zeros."""
    size = table.shape[1]
    mean, second = np.zeros(size), np.zeros((size, size))
    for start in range(0, len(table), CHUNK):
        part = slice(start, start + CHUNK)
        rows = table[part] * weight[part, None]
        mean += share[part] @ rows
        second += (rows * share[part, None]).T @ rows
    outer = np.outer(mean, mean)
    values, directions = np.linalg.eigh(outer + (second - outer) / LENGTH)
    found: NDArray[np.float64] = directions[:, -1] if values[-1] > 0 else np.zeros(size)
    return found
