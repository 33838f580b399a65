"""Alignment: a rotated space has not changed, and a moved word is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ortho_group

from w2v_core.measures.procrustes import align, change


def table(words: int = 200, size: int = 8, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(words, size))


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_a_turned_space_has_not_changed(seed: int, size: int) -> None:
    """After rotation, reflection and scaling word by word, every cosine is 1 and every neighbour the same."""
    before = table(30, size, seed)
    after = before @ ortho_group.rvs(size, random_state=seed) * np.random.default_rng(seed).uniform(0.5, 2, (30, 1))
    found = change(before, after, 5)

    np.testing.assert_allclose(found.cosine, 1, atol=1e-9)
    np.testing.assert_array_equal(found.overlap, 1)


def test_by_hand() -> None:
    """Five words of a quarter turn, and w, which is also reversed: only w has moved, and by 180°.

    With Q for the turn and v ⟂ w: AᵀB = Q (2 I + v vᵀ − w wᵀ), whose second factor has eigenvalues 3 and 1. It is
    positive, so the nearest orthogonal matrix is Q itself.
    """
    before = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1], [0.6, 0.8], [0.8, -0.6]])
    after = np.array([[0.0, 1], [0, 1], [-1, 0], [-1, 0], [-0.8, 0.6], [-0.6, -0.8]])

    assert change(before, after, 1).cosine.tolist() == pytest.approx([1, 1, 1, 1, 1, -1])


def test_the_word_that_moved() -> None:
    """One word takes the place of another: it moved most, lost its neighbours, and the rest hardly changed."""
    before = table()
    after = before @ ortho_group.rvs(8, random_state=1)
    after[7] = after[100] + 0.01
    found = change(before, after, 10)

    assert np.argmin(found.cosine) == 7
    assert found.overlap[7] < 0.5
    assert found.after[7, 0] == 100
    assert np.delete(found.cosine, 7).min() > 0.99
    assert found.overlap.mean() > 0.9


def test_unrelated_spaces_share_little() -> None:
    """Independent tables: about k / V of the neighbours agree by chance."""
    found = change(table(seed=1), table(seed=2), 10)

    assert found.overlap.mean() == pytest.approx(10 / 199, abs=0.02)
    assert found.cosine.mean() < 0.4


def test_a_smaller_space_lies_in_the_larger() -> None:
    """Eight dimensions that are ten with two empty ones: nothing has changed, either way round."""
    small = table()
    large = np.pad(small, [(0, 0), (0, 2)]) @ ortho_group.rvs(10, random_state=2)

    for before, after in ((small, large), (large, small)):
        np.testing.assert_allclose(change(before, after, 3).cosine, 1, atol=1e-9)
    assert align(small, large).shape == (200, 10)
