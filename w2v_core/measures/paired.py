"""Which of two models is better on the same items, and how sure that is.

Each resample draws items with replacement and scores both models on the very same draw, so what makes an item hard
or easy cancels out: the interval of the difference is narrower than the two intervals side by side suggest.

Shapes   N items that both models know, B resamples of them.
Source   The paired bootstrap, as in Koehn 2004 (EMNLP) and Berg-Kirkpatrick et al. 2012 (EMNLP).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2v_core.measures.bootstrap import FEWEST, correlation, interval, ranks, resampled

Floats = NDArray[np.float64]


class Difference(NamedTuple):
    """A's score, B's, and A − B with its 95% interval; `better` is the probability that A's is the higher one."""

    a: float
    b: float
    low: float
    high: float
    better: float

    @property
    def value(self) -> float:
        return self.a - self.b


def spearman(expected: Floats, a: Floats, b: Floats, resamples: int, *, rng: np.random.Generator) -> Difference | None:
    """Rank correlations of a and of b with what is expected, each (N,); None where one of them means nothing."""
    if len(expected) < FEWEST or any(np.ptp(column) == 0 for column in (expected, a, b)):
        return None

    def both(counts: Floats) -> tuple[Floats, Floats]:
        people, ours, theirs = (ranks(column, counts) for column in (expected, a, b))
        return correlation(counts, people, ours), correlation(counts, people, theirs)

    (whole_a,), (whole_b,) = both(np.ones((1, len(expected))))
    drawn = [np.subtract(*both(counts)) for counts in resampled(len(expected), resamples, rng)]
    return _difference(whole_a, whole_b, np.concatenate(drawn))


def share(a: NDArray[np.bool_], b: NDArray[np.bool_], resamples: int, *, rng: np.random.Generator) -> Difference | None:
    """Shares of right answers, item by item (N,); None where nothing was asked.

    Only items that one model alone gets right make a difference, and how often a resample draws these is multinomial.
    """
    if len(a) == 0:
        return None
    alone_a, alone_b = float(np.mean(a & ~b)), float(np.mean(b & ~a))
    drawn = rng.multinomial(len(a), [alone_a, alone_b, 1 - alone_a - alone_b], size=resamples) / len(a)
    return _difference(float(a.mean()), float(b.mean()), drawn[:, 0] - drawn[:, 1])


def _difference(a: float, b: float, drawn: Floats) -> Difference:
    better = float(np.mean(drawn > 0) + np.mean(drawn == 0) / 2)  # a draw counts half for each
    return Difference(float(a), float(b), *interval(drawn), better)
