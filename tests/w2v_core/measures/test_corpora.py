"""Divergence of two corpora: by hand, and against SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency

from w2v_core.measures.corpora import jensen_shannon, surprise

COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8)


def test_the_ends_of_the_scale() -> None:
    """Equal frequencies differ by 0, whatever the lengths of the texts; corpora without a common word by 1 bit."""
    assert jensen_shannon(np.array([3, 1]), np.array([30, 10])) == pytest.approx(0)
    assert jensen_shannon(np.array([3, 1, 0]), np.array([0, 0, 5])) == pytest.approx(1)


@given(COUNTS)
def test_as_scipy_has_it(counts: list[tuple[int, int]]) -> None:
    """SciPy's distance is the root of the divergence."""
    a, b = np.array([*counts, (1, 1)]).T

    assert jensen_shannon(a, b) == pytest.approx(jensenshannon(a, b, base=2) ** 2, abs=1e-12)


def test_surprise_by_hand() -> None:
    """10 of 100 and 30 of 100, where 20 of each are expected: G² = 2 (10 ln ½ + 30 ln 1.5). Equal shares: nothing."""
    a, b = np.array([10, 90]), np.array([30, 70])

    assert surprise(a, b)[0] == pytest.approx(2 * (10 * np.log(0.5) + 30 * np.log(1.5)))
    assert surprise(a, 3 * a) == pytest.approx([0, 0])
    # the words' G² add up to that of the whole table
    assert surprise(a, b).sum() == pytest.approx(chi2_contingency([a, b], False, "log-likelihood").statistic)
