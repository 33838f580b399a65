"""Scores: Spearman as SciPy computes it, and intervals with the right coverage."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from w2v_core.measures import bootstrap


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_worked_example() -> None:
    """Ranks 1 2 3 4 against 1 2 4 3: ρ = 1 − 6·(0 + 0 + 1 + 1) / (4·15) = 0.8. Tied for 2 and 3: 2.5 each."""
    estimate = bootstrap.spearman(np.array([1.0, 5, 7, 9]), np.array([0.1, 0.2, 0.9, 0.8]), 10, rng=rng())

    assert estimate is not None
    assert estimate.value == pytest.approx(0.8)
    assert bootstrap.ranks(np.array([5.0, 9, 5, 1]), np.ones((1, 4))).tolist() == [[2.5, 4, 2.5, 1]]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=40))
def test_equals_scipy_with_ties(pairs: list[tuple[int, int]]) -> None:
    """The value is SciPy's, whatever ties there are; a constant column has none."""
    x, y = np.array(pairs, float).T
    estimate = bootstrap.spearman(x, y, 1, rng=rng())

    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert estimate is None
    else:
        assert estimate is not None
        assert estimate.value == pytest.approx(spearmanr(x, y).statistic)


def test_a_resample_by_counts_is_a_resample_by_rows() -> None:
    """Ranking by running sums of counts equals writing each drawn item out and ranking that with scipy."""
    x, y = rng(1).integers(0, 9, (2, 30)).astype(float)
    counts = rng(2).multinomial(30, np.full(30, 1 / 30), size=20).astype(float)

    found = bootstrap.correlation(counts, bootstrap.ranks(x, counts), bootstrap.ranks(y, counts))

    for row, value in zip(counts.astype(int), found, strict=True):
        assert value == pytest.approx(spearmanr(np.repeat(x, row), np.repeat(y, row)).statistic)


def correlated(items: int, seed: int) -> NDArray[np.float64]:
    return rng(seed).multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], items).T


def test_interval_covers_the_truth() -> None:
    """Of 200 samples from normals with r = 0.5 (ρ = 6/π · asin(r/2) = 0.4826), about 95% of the intervals hold ρ."""
    truth = 6 / np.pi * np.arcsin(0.25)
    estimates = [bootstrap.spearman(*correlated(100, seed), 200, rng=rng(seed)) for seed in range(200)]
    covered = np.mean([e is not None and e.low <= truth <= e.high for e in estimates])

    assert 0.89 <= covered <= 0.99


def test_same_generator_same_interval() -> None:
    """The interval is as reproducible as the value."""
    x, y = correlated(50, 0)

    assert bootstrap.spearman(x, y, 100, rng=rng(3)) == bootstrap.spearman(x, y, 100, rng=rng(3))
    assert bootstrap.spearman(x, y, 100, rng=rng(3)) != bootstrap.spearman(x, y, 100, rng=rng(4))


def test_too_little_to_say() -> None:
    """Two pairs, a constant column, or no answered question give no figure rather than a wrong one."""
    assert bootstrap.spearman(np.array([1.0, 2]), np.array([1.0, 2]), 5, rng=rng()) is None
    assert bootstrap.spearman(np.ones(5), np.arange(5.0), 5, rng=rng()) is None
    assert bootstrap.share(0, 0, 5, rng=rng()) is None


def test_share_of_right_answers() -> None:
    """60 of 100: the interval is that of the binomial, about 0.6 ± 1.96·√(0.6·0.4/100) = 0.6 ± 0.096."""
    estimate = bootstrap.share(60, 100, 5_000, rng=rng())

    assert estimate is not None
    assert estimate.value == 0.6
    assert estimate.low == pytest.approx(0.504, abs=0.02)
    assert estimate.high == pytest.approx(0.696, abs=0.02)


def test_a_thousand_resamples_of_men_take_a_moment() -> None:
    """1,000 resamples of 3,000 pairs stay far below the two seconds an evaluation may spend on them."""
    x, y = correlated(3_000, 0)
    started = time.process_time()
    bootstrap.spearman(x, y, 1_000, rng=rng())

    assert time.process_time() - started < 2
