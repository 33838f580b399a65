"""Recommendations: positions by hand, and what they are worth."""

import numpy as np
import pytest

from w2v_core.measures import bootstrap, paired
from w2v_core.measures.recommendation import gain, recommend

SCORES = np.array([[0.9, 0.8, 0.7, 0.6, 0.5], [0.1, 0.3, 0.3, 0.2, 0.3]])


def test_items_of_the_history_are_skipped() -> None:
    """The first session has seen items 0 and 2; the second one's ties go to the lower number."""
    found = recommend(SCORES.copy(), (np.array([0, 0, 1]), np.array([0, 2, 1])), np.array([3, 4]), 2)

    assert found.position.tolist() == [2, 2]
    assert found.top.tolist() == [[1, 3], [2, 4]]


def test_fewer_items_than_asked_for() -> None:
    """What the history leaves is recommended, and nothing of the history."""
    found = recommend(SCORES[:1].copy(), (np.array([0, 0, 0]), np.array([0, 1, 2])), np.array([4]), 4)

    assert found.top.tolist() == [[3, 4, -1, -1]]


def test_positions_are_those_of_a_sorted_list() -> None:
    """For random scores, each item asked for."""
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(50, 30))
    chosen = rng.integers(30, size=50)
    found = recommend(scores.copy(), (np.array([], int), np.array([], int)), chosen, 10)
    order = np.argsort(-scores, axis=1)

    assert found.position.tolist() == [list(row).index(item) + 1 for row, item in zip(order, chosen, strict=True)]
    assert found.top.tolist() == order[:, :10].tolist()


def test_gains_by_hand() -> None:
    """At positions 1, 2 and 11 with ten recommended."""
    position, hit = np.array([1.0, 2.0, 11.0]), np.array([True, True, False])

    assert gain("hit_rate", position, hit).tolist() == [1, 1, 0]
    assert gain("mrr", position, hit).tolist() == [1, 0.5, 0]
    assert gain("ndcg", position, hit) == pytest.approx([1, 1 / np.log2(3), 0])


def test_means_have_the_intervals_of_the_normal_distribution() -> None:
    """Of 400 values with deviation 1, the mean's 95% interval is ± 1.96 / 20; so is that of a difference."""
    values = np.random.default_rng(2).normal(size=400)
    values = (values - values.mean()) / values.std()
    one = bootstrap.mean(values + 3, 4_000, rng=np.random.default_rng(0))
    two = paired.mean(values + 3, np.full(400, 2.0), 4_000, rng=np.random.default_rng(0))

    assert one is not None
    assert two is not None
    assert (one.value, one.low, one.high) == pytest.approx((3, 2.902, 3.098), abs=0.01)
    assert (two.value, two.low, two.high) == pytest.approx((1, 0.902, 1.098), abs=0.01)
    assert two.better == 1
    assert bootstrap.mean(values[:0], 10, rng=np.random.default_rng(0)) is None
