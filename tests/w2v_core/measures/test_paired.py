"""Paired comparison: worked examples, and probabilities with the right frequencies."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, spearmanr

from w2v_core.measures import bootstrap, paired
from w2v_core.measures.categories import nearest_category


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_shares_by_hand() -> None:
    """Of 100 questions A alone answers 20, B alone 8, both 40: .60 against .48, and A − B = .12.

    One resample's difference has variance (p_a + p_b − (p_a − p_b)²) / N = (.28 − .0144) / 100 = .0515², so the
    interval is .12 ± 1.96 · .0515 and A is better with probability Φ(.12 / .0515) = .990.
    """
    a = np.repeat([True, False, True, False], [20, 8, 40, 32])
    b = np.repeat([False, True, True, False], [20, 8, 40, 32])
    found = paired.share(a, b, 20_000, rng=rng())

    assert found is not None
    assert (found.a, found.b) == (0.6, 0.48)
    assert found.value == pytest.approx(0.12)
    assert (found.low, found.high) == pytest.approx((0.019, 0.221), abs=0.011)
    assert found.better == pytest.approx(norm.cdf(0.12 / 0.0515), abs=0.005)


def test_correlations_are_scipys() -> None:
    """A's and B's own figures are Spearman's ρ of each; the better one is better with high probability."""
    people, noise, more = rng(1).normal(size=(3, 300))
    a, b = people + noise, people + noise + more
    found = paired.spearman(people, a, b, 500, rng=rng())

    assert found is not None
    assert found.a == pytest.approx(spearmanr(people, a).statistic)
    assert found.b == pytest.approx(spearmanr(people, b).statistic)
    assert found.low > 0
    assert found.better > 0.99


def test_a_model_is_not_better_than_itself() -> None:
    """For the same answers the difference and the width of its interval are 0, and the odds are even."""
    people, cosine = rng(2).normal(size=(2, 50))
    right = cosine > 0

    for found in (
        paired.spearman(people, cosine, cosine, 100, rng=rng()),
        paired.share(right, right, 100, rng=rng()),
    ):
        assert found is not None
        assert (found.value, found.low, found.high, found.better) == (0, 0, 0, 0.5)


def test_exchanged_models_exchange_the_verdict() -> None:
    """A against B and B against A are two views of one comparison."""
    people, a, b = rng(3).normal(size=(3, 80))
    one, other = (paired.spearman(people, *models, 200, rng=rng(4)) for models in ((a, b), (b, a)))

    assert one is not None
    assert other is not None
    assert one.better == pytest.approx(1 - other.better)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def alike(seed: int) -> tuple[NDArray[np.float64], ...]:
    """People's scores, and two models that are equally good and share most of their noise."""
    people, shared, a, b = rng(seed).normal(size=(4, 100))
    return people, people + shared + 0.3 * a, people + shared + 0.3 * b


def test_pairing_pays() -> None:
    """Of models that share their errors, the paired interval is far narrower than either model's own."""
    people, a, b = alike(0)
    found, alone = paired.spearman(people, a, b, 500, rng=rng()), bootstrap.spearman(people, a, 500, rng=rng())

    assert found is not None
    assert alone is not None
    assert found.high - found.low < 0.6 * (alone.high - alone.low)


def test_luck_looks_like_luck() -> None:
    """Two equally good models: over 200 samples the probability is as often low as high, and rarely extreme."""
    found = [paired.spearman(*alike(seed), 200, rng=rng(seed)) for seed in range(200)]
    better = np.array([each.better for each in found if each is not None])

    assert len(better) == 200
    assert better.mean() == pytest.approx(0.5, abs=0.08)
    assert np.mean((better < 0.025) | (better > 0.975)) == pytest.approx(0.05, abs=0.045)


def test_too_little_to_say() -> None:
    """Two pairs, a constant column and no question give no verdict rather than a wrong one."""
    people = np.arange(4.0)

    assert paired.spearman(people[:2], people[:2], people[:2], 5, rng=rng()) is None
    assert paired.spearman(people, people, np.ones(4), 5, rng=rng()) is None
    assert paired.share(np.zeros(0, bool), np.zeros(0, bool), 5, rng=rng()) is None


def test_categories_by_hand() -> None:
    """Two words along x, two along y, and one called x that lies with y: the last is put with y.

    Its own category without it is (1, 0), the other (0, 1): cosines .6 and .8, a margin of −.2. To the words along x
    their own category is (1, 0) + (.6, .8), which is .894 away; y is 0.
    """
    unit = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0.6, 0.8]])
    nearest, margin = nearest_category(unit, np.array([0, 0, 1, 1, 0]))

    assert nearest.tolist() == [0, 0, 1, 1, 1]
    assert margin[4] == pytest.approx(-0.2)
    assert margin[0] == pytest.approx(1.6 / np.hypot(1.6, 0.8))
