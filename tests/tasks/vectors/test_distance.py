"""The distance between the vectors of two runs."""

import numpy as np
import pytest

from tasks.vectors import distance as vectors_distance
from tasks.vectors.distance import distance
from tasks.vectors.tables import WordVectors

WORDS = ["one", "two", "three", "four"]


def vectors(words: list[str], table: object) -> WordVectors:
    return WordVectors(words, np.arange(len(words), 0, -1), np.array(table, np.float32))


def test_words_are_compared_by_name_and_neighbours_as_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """One nearest neighbour each. Before: one-two and three-four are near. Now three has moved to one and two, by at
    most 1 − (−0.5) in a component; "four" is gone and "five" is new. Of one, two and three, the common words, one and
    two are still each other's nearest, and three has another: an overlap of two thirds.
    """
    monkeypatch.setattr(vectors_distance, "NEIGHBORS", 1)
    before = vectors(WORDS, [[1, 0], [0.9, 0.1], [-0.5, 1], [-0.4, 1]])
    now = vectors(["two", "three", "one", "five"], [[0.9, 0.1], [1, 0.4], [1, 0], [0, -1]])
    found = distance(before, now)

    assert found.words_in_one_only == 2
    assert found.largest_difference == pytest.approx(1.5)
    assert found.largest_component == 1
    assert found.frequent_words == 3
    assert found.neighbor_overlap == pytest.approx(2 / 3)
    assert "overlap by 66.67%" in str(found)


def test_nothing_in_common_is_no_distance() -> None:
    """Without common words, or with another vector size, there is no difference of components."""
    table = np.eye(4)

    assert distance(vectors(WORDS, table), vectors([w.upper() for w in WORDS], table)).neighbor_overlap is None
    assert distance(vectors(WORDS, table), vectors(WORDS, table[:, :3])).largest_difference is None
