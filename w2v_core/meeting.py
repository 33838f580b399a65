"""Meetings: models that learnt apart from the same θ, each from windows of its own, are combined row by row.

Replica l started at θ and ends at θ_l; Δ_l = θ_l − θ. Each row of both tables is combined for itself, by Adasum:

    A(a, b) = (1 − a·b / 2‖a‖²) · a + (1 − a·b / 2‖b‖²) · b            θ ← θ + A(A(Δ_0, Δ_1), A(Δ_2, Δ_3)) …

    a ⊥ b     a + b          two replicas learnt different things: both count in full
    a = b     a              both learnt the same: once is enough, twice would overshoot
    b = 0     a              only one has met the word

A mean would divide what only one of N replicas learnt by N; a sum diverges where all of them learnt the same. The tree
is fixed by the replicas' numbers: neighbours first; the last of an odd number waits for the next level.

Shapes   N replicas, R rows of the table, D vector size.
Source   Maleki et al. 2020 (arXiv:2006.02924), there for whole layers. Rows of word vectors, combined by a part of the
         same idea: Gill et al. 2021, GraphAny2Vec (arXiv:1909.03359).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CHUNK = 1 << 10  # rows combined at a time: what N replicas have of them stays in the cache
TINY = np.finfo(np.float32).tiny  # squared lengths below it are rounded too coarsely to divide by


def combine(base: Floats, learnt: Sequence[Floats]) -> Floats:
    """Return the rows (R, D) in which N replicas meet that started from `base` (R, D) and ended at `learnt`, R ≥ 0.

    A row depends on nothing but the same row of these tables, so parts of a table are combined to the same bits as the
    whole. The result of a single replica is its own table, exactly.
    """
    assert learnt
    if len(learnt) == 1:
        return np.array(learnt[0])
    combined = np.empty(base.shape, base.dtype)
    buffer = np.empty((len(learnt), min(CHUNK, len(base)), base.shape[1]), base.dtype)
    for start in range(0, len(base), CHUNK):
        part = slice(start, start + CHUNK)
        deltas = list(buffer[:, : len(base[part])])
        for table, delta in zip(learnt, deltas, strict=True):
            np.subtract(table[part], base[part], out=delta)
        while len(deltas) > 1:
            last = deltas[len(deltas) & ~1 :]
            deltas = [adasum(a, b) for a, b in zip(deltas[::2], deltas[1::2], strict=False)] + last
        np.add(base[part], deltas[0], out=combined[part])
    return combined


def adasum(a: Floats, b: Floats) -> Floats:
    """Return A(a, b) of each row, (R, D), written to `a`; `b` is overwritten too."""
    both = np.vecdot(a, b)
    a_kept, b_kept = _kept(both, a), _kept(both, b)
    a *= a_kept[:, None]
    b *= b_kept[:, None]
    a += b
    return a


def _kept(both: Floats, delta: Floats) -> Floats:
    """Return 1 − a·b / 2‖δ‖², the share of each row of `delta` that counts; 1 where the row is zero."""
    squared: Floats = np.vecdot(delta, delta)
    share = np.divide(both, 2 * squared, out=np.zeros_like(both), where=squared > TINY)
    return np.subtract(np.float32(1), share, out=squared)
