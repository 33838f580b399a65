"""Strata: noise words keep their distribution, one from each K-th of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from w2v_core.fast.stratified import Strata


@given(counts=st.lists(st.integers(1, 1_000), min_size=1, max_size=30), strata=st.integers(1, 40))
@hypothesis_settings(deadline=None)
def test_each_word_lies_in_its_stratum(counts: list[int], strata: int) -> None:
    """Word k of a set is one whose interval of the cumulative distribution meets [k/K, (k + 1)/K]."""
    end = np.cumsum(np.array(counts) / sum(counts))
    begin = end - np.array(counts) / sum(counts)
    stratum = np.arange(strata)

    words = Strata(np.array(counts) / sum(counts), strata).draw(50, rng=np.random.default_rng(0))

    assert (end[words] >= stratum / strata - 1e-9).all()
    assert (begin[words] <= (stratum + 1) / strata + 1e-9).all()


@pytest.mark.parametrize("strata", [1, 3, 16])
def test_words_keep_their_probability(strata: int) -> None:
    """The share of each word in 480,000 draws is its probability, within 5 standard errors of independent draws."""
    probability = np.random.default_rng(1).random(40) ** 4
    probability /= probability.sum()
    sets = 480_000 // strata

    words = Strata(probability, strata).draw(sets, rng=np.random.default_rng(2))

    share = np.bincount(words.ravel(), minlength=40) / words.size
    error = np.sqrt(probability * (1 - probability) / words.size)
    assert (abs(share - probability) <= 5 * error).all()


def test_spread_is_smaller_than_that_of_independent_draws() -> None:
    """A word with probability ½ comes up in half of the strata, every time."""
    words = Strata(np.array([0.5, 0.3, 0.2]), 8).draw(100, rng=np.random.default_rng(0))

    assert ((words == 0).sum(axis=1) == 4).all()
