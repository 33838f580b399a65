"""Comparison of two models on the same items: which is better, and with which probability.

Each resample draws items with replacement and scores both models on the very same draw. What makes an item hard or
easy then cancels out, so the interval of the difference is narrower than the two single intervals suggest.

Shapes   N items that both models know, B resamples of them.
Source   The paired bootstrap, as in Koehn 2004 (EMNLP) and Berg-Kirkpatrick et al. 2012 (EMNLP).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2v_core.measures.bootstrap import FEWEST, correlation, interval, ranks, resampled

Floats = NDArray[np.float64]


class Difference(NamedTuple):
    """The scores of A and B, the 95% interval of A − B, and `better`, the share of resamples that A wins."""

    a: float
    b: float
    low: float
    high: float
    better: float

    @property
    def value(self) -> float:
        """Return A − B."""
        return self.a - self.b


def spearman(expected: Floats, a: Floats, b: Floats, resamples: int, *, rng: np.random.Generator) -> Difference | None:
    """Compare Spearman's ρ of a and of b with `expected`, each (N,); None where one of the two means nothing."""
    if len(expected) < FEWEST or any(np.ptp(column) == 0 for column in (expected, a, b)):
        return None

    # One draw scores both models: their difference on the same items is what is resampled.
    def both(counts: Floats) -> tuple[Floats, Floats]:
        """Return ρ of a and of b (B,) under the same resamples, counts (B, N)."""
        people, ours, theirs = (ranks(column, counts) for column in (expected, a, b))
        return correlation(counts, people, ours), correlation(counts, people, theirs)

    (whole_a,), (whole_b,) = both(np.ones((1, len(expected))))
    drawn = [np.subtract(*both(counts)) for counts in resampled(len(expected), resamples, rng)]
    return _difference(whole_a, whole_b, np.concatenate(drawn))


def share(a: NDArray[np.bool_], b: NDArray[np.bool_], resamples: int, *, rng: np.random.Generator) -> Difference | None:
    """Compare the shares of right answers, given item by item (N,); None where nothing was asked."""
    if len(a) == 0:
        return None
    # Items that both or neither answer do not change the difference. So a resample is three numbers, how often it drew
    # items that only A, only B, or none of them alone got right, and these are multinomial.
    alone_a, alone_b = float(np.mean(a & ~b)), float(np.mean(b & ~a))
    drawn = rng.multinomial(len(a), [alone_a, alone_b, 1 - alone_a - alone_b], size=resamples) / len(a)
    return _difference(float(a.mean()), float(b.mean()), drawn[:, 0] - drawn[:, 1])


def mean(a: Floats, b: Floats, resamples: int, *, rng: np.random.Generator) -> Difference | None:
    """Compare the means of what each item counts for, a and b (N,); None where nothing was asked."""
    if len(a) == 0:
        return None
    drawn = [counts @ (a - b) / len(a) for counts in resampled(len(a), resamples, rng)]
    return _difference(float(a.mean()), float(b.mean()), np.concatenate(drawn))


def _difference(a: float, b: float, drawn: Floats) -> Difference:
    better = float(np.mean(drawn > 0) + np.mean(drawn == 0) / 2)  # a tie counts half for each
    return Difference(float(a), float(b), *interval(drawn), better)
