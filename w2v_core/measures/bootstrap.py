"""How well scores agree with people's, and how far that figure can be trusted.

Shapes   N judged items, B resamples of them; a resample is a row (N,) of counts, how often each item was drawn.
Source   Spearman's ρ is Pearson's r of the ranks, ties sharing their average rank; the interval is the percentile
         bootstrap of Efron (1979). A resample needs no sorting: the items are sorted once, and its ranks are running
         sums of its counts along that order.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
ELEMENTS = 1 << 18  # counts held at a time: a few arrays of this size stay in the cache
FEWEST = 3  # any two pairs agree or disagree perfectly, which says nothing


class Estimate(NamedTuple):
    """A figure and its 95% bootstrap interval."""

    value: float
    low: float
    high: float


def spearman(
    expected: NDArray[np.float64], predicted: NDArray[np.float64], resamples: int, *, rng: np.random.Generator
) -> Estimate | None:
    """Rank correlation of two columns (N,); None where it means nothing: too few items, or one column is constant.

    >>> spearman(np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 4, 3]), 1, rng=np.random.default_rng(0)).value
    0.8
    """
    columns = [expected, predicted]
    if len(expected) < FEWEST or any(np.ptp(column) == 0 for column in columns):
        return None
    whole = np.ones((1, len(expected)))
    value = correlation(whole, *(ranks(column, whole) for column in columns))[0]
    drawn = [
        correlation(counts, *(ranks(column, counts) for column in columns))
        for counts in resampled(len(expected), resamples, rng)
    ]
    return _estimate(float(value), np.concatenate(drawn))


def share(right: int, asked: int, resamples: int, *, rng: np.random.Generator) -> Estimate | None:
    """The share of right answers; None where nothing was asked.

    Drawing `asked` answers with replacement from those given makes the number of right ones binomial.
    """
    if asked == 0:
        return None
    return _estimate(right / asked, rng.binomial(asked, right / asked, resamples) / asked)


def _estimate(value: float, drawn: NDArray[np.float64]) -> Estimate:
    return Estimate(value, *interval(drawn))


def interval(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95% of what the resamples gave."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def resampled(items: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Counts (≤ B, N) in chunks: how often each resample drew each item."""
    step = max(1, ELEMENTS // items)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(items, size=(rows, items)) + np.arange(rows)[:, None] * items
        yield np.bincount(drawn.ravel(), minlength=rows * items).reshape(rows, items).astype(np.float64)


def ranks(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average ranks (B, N) of the values (N,) within each resample, counted from 1."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    tied = np.add.reduceat(counts[:, order], starts, axis=1)  # copies of each distinct value
    # copies that lie below, and half of the way through the copies that tie
    return (np.cumsum(tied, axis=1) - tied / 2 + 0.5)[:, place]


def correlation(counts: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation (B,) of x and y (B, N), item n counted counts[:, n] times; 0 where one of them is constant."""
    total = counts.sum(axis=1, keepdims=True)
    x = x - (counts * x).sum(axis=1, keepdims=True) / total
    y = y - (counts * y).sum(axis=1, keepdims=True) / total
    weighted = counts * x
    covariance = np.einsum("bn,bn->b", weighted, y)
    spread = np.sqrt(np.einsum("bn,bn->b", weighted, x) * np.einsum("bn,bn->b", counts * y, y))
    r: NDArray[np.float64] = np.zeros_like(spread)
    np.divide(covariance, spread, out=r, where=spread > 0)
    return r
