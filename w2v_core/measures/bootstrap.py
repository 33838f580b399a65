"""Agreement of scores with human judgements, with bootstrap intervals.

    ρ = Pearson's r of the ranks, where ties share their average rank

Shapes   N judged items, B resamples of them; a resample is a row (N,) of counts, how often each item was drawn.
Source   Spearman 1904; the bootstrap, with percentile intervals: Efron 1979, "Bootstrap methods: another look at the
         jackknife". A resample needs no sorting: the items are sorted once, and the ranks of a resample are running
         sums of its counts along that order.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
ELEMENTS = 1 << 18  # counts held at a time: a few arrays of this size stay in the cache
FEWEST = 3  # two items always agree or disagree perfectly, which means nothing


class Estimate(NamedTuple):
    """A figure with its 95% bootstrap interval."""

    value: float
    low: float
    high: float


def spearman(
    expected: NDArray[np.float64], predicted: NDArray[np.float64], resamples: int, *, rng: np.random.Generator
) -> Estimate | None:
    """Return Spearman's ρ of two columns (N,); None where it means nothing: too few items, or a constant column.

    >>> spearman(np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 4, 3]), 1, rng=np.random.default_rng(0)).value
    0.8
    """
    # The figure itself is that of the resample which draws every item once.
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
    """Return the share of right answers; None where nothing was asked."""
    if asked == 0:
        return None
    # Drawing `asked` answers with replacement makes the number of right ones binomial: no resample has to be formed.
    return _estimate(right / asked, rng.binomial(asked, right / asked, resamples) / asked)


def mean(values: NDArray[np.float64], resamples: int, *, rng: np.random.Generator) -> Estimate | None:
    """Return the mean of the values (N,); None where there is none."""
    if len(values) == 0:
        return None
    drawn = [counts @ values / len(values) for counts in resampled(len(values), resamples, rng)]
    return _estimate(float(values.mean()), np.concatenate(drawn))


def _estimate(value: float, drawn: NDArray[np.float64]) -> Estimate:
    return Estimate(value, *interval(drawn))


def interval(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the middle 95% of the values of the resamples (B,)."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def resampled(items: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Yield the resamples in chunks of counts (≤ B, N): how often each resample drew each item."""
    # Number the cells of a chunk row by row, draw N cells in each row, and count them all at once.
    step = max(1, ELEMENTS // items)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(items, size=(rows, items)) + np.arange(rows)[:, None] * items
        yield np.bincount(drawn.ravel(), minlength=rows * items).reshape(rows, items).astype(np.float64)


def ranks(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the average ranks (B, N), from 1, of the values (N,) within each resample; counts are (B, N)."""
    # Sort once. Along that order the copies of one value lie together in every resample, and are summed up.
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")  # items by value
    starts = np.searchsorted(place[order], np.arange(len(distinct)))  # of each distinct value along that order
    tied = np.add.reduceat(counts[:, order], starts, axis=1)  # copies of each distinct value
    # The average rank of t tied copies with b copies below them is b + (t + 1)/2; the running sum is b + t.
    return (np.cumsum(tied, axis=1) - tied / 2 + 0.5)[:, place]


def correlation(counts: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's r (B,) of x and y (B, N), item n counted counts[:, n] times; 0 where one of them is constant."""
    # Weighted means out, then cov(x, y) / √(var(x) · var(y)); the common 1/total cancels.
    total = counts.sum(axis=1, keepdims=True)
    x = x - (counts * x).sum(axis=1, keepdims=True) / total
    y = y - (counts * y).sum(axis=1, keepdims=True) / total
    weighted = counts * x
    covariance = np.einsum("bn,bn->b", weighted, y)
    spread = np.sqrt(np.einsum("bn,bn->b", weighted, x) * np.einsum("bn,bn->b", counts * y, y))
    r: NDArray[np.float64] = np.zeros_like(spread)
    np.divide(covariance, spread, out=r, where=spread > 0)
    return r
