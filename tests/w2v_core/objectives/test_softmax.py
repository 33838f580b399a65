"""Naive softmax: the work is shared among threads, in parts that do not depend on their number."""

import numpy as np
import pytest

from w2v_core.objectives import softmax
from w2v_core.objectives.softmax import Softmax


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """1, 2 and 3 threads give the same loss, gradients and terms, where all have several parts."""
    monkeypatch.setattr(softmax, "ELEMENTS", 20 * 30)
    monkeypatch.setattr(softmax, "PART_ROWS", 4)
    monkeypatch.setattr(softmax, "PART_WORDS", 7)
    rng = np.random.default_rng(0)
    hidden, output = rng.random((50, 8), np.float32), rng.random((30, 8), np.float32)
    row, target = np.sort(rng.integers(50, size=200)), rng.integers(30, size=200)

    alone, together = (Softmax(each).gradients(hidden, row, target, output, rng=rng) for each in (1, threads))

    assert alone.loss.tobytes() == together.loss.tobytes()
    assert alone.d_hidden.tobytes() == together.d_hidden.tobytes()
    assert alone.d_output.gradient.tobytes() == together.d_output.gradient.tobytes()
    assert np.asarray(alone.d_output.terms).tobytes() == np.asarray(together.d_output.terms).tobytes()


def test_an_error_in_a_thread_is_raised() -> None:
    """A target beyond the vocabulary is an error of the caller, whichever thread meets it."""
    one = np.ones((1, 2), np.float32)

    with pytest.raises(IndexError):
        Softmax(2).gradients(one, np.array([0]), np.array([3]), one, rng=np.random.default_rng(0))
