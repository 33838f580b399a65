"""Keep probabilities, and the distribution of noise words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from w2v_core.vocabulary import Noise, keep_probabilities


def test_keep_probability_worked_example() -> None:
    """f = 0.9 and 0.1 at t = 0.001: √(t/f) + t/f = 1/30 + 1/900 = 0.0344 and 0.1 + 0.01 = 0.11."""
    np.testing.assert_allclose(keep_probabilities(np.array([90, 10]), 0.001), [1 / 30 + 1 / 900, 0.11], rtol=1e-6)


def test_keep_everything() -> None:
    """t = 0 keeps all; a large t keeps all; a word never counted is kept."""
    assert keep_probabilities(np.array([90, 10]), 0).tolist() == [1, 1]
    assert keep_probabilities(np.array([90, 10]), 0.9).tolist() == [1, 1]
    assert keep_probabilities(np.array([10_000, 0]), 1e-3)[1] == 1


@pytest.mark.parametrize("exponent", [0.0, 0.75, 1.0, 2.0])
def test_noise_follows_its_distribution(exponent: float) -> None:
    """200,000 draws over 50 words with Zipf's counts: χ² with p > 0.001."""
    counts = (10_000 / np.arange(1, 51)).astype(np.int64)
    noise = Noise(counts, exponent)
    drawn = np.bincount(noise.draw((200_000,), rng=np.random.default_rng(1)), minlength=50)
    expected = counts.astype(float) ** exponent

    np.testing.assert_allclose(noise.probability, expected / expected.sum())
    assert chisquare(drawn, 200_000 * noise.probability).pvalue > 0.001


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30).map(np.array))
def test_noise_draws_words_of_the_vocabulary(counts: np.ndarray) -> None:
    """Draws have the shape asked for, also with counts of zero or a single word."""
    drawn = Noise(counts, 0.75).draw((7, 3), rng=np.random.default_rng(0))

    assert drawn.shape == (7, 3)
    assert ((drawn >= 0) & (drawn < len(counts))).all()
