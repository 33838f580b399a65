"""Meetings: how the rows of several replicas become one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from w2v_core import meeting
from w2v_core.meeting import combine

Floats = NDArray[np.float32]


def rows(*values: list[float]) -> Floats:
    return np.array(values, np.float32)


def drawn(replicas: int, count: int = 60, size: int = 5) -> tuple[Floats, list[Floats]]:
    """Return a table and those of replicas, each of which has moved most of its rows."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(count, size)).astype(np.float32)
    moved = [rng.normal(size=base.shape) * (rng.random((count, 1)) < 0.7) for _ in range(replicas)]
    return base, [base + delta.astype(np.float32) for delta in moved]


def slowly(base: Floats, learnt: list[Floats]) -> NDArray[np.float64]:
    """Return the same by the equation, one row after the other, in float64."""
    found = np.zeros(base.shape)
    for row in range(len(base)):
        level = [(table[row] - base[row]).astype(np.float64) for table in learnt]
        while len(level) > 1:
            pairs = [level[number : number + 2] for number in range(0, len(level), 2)]
            level = [pair[0] if len(pair) == 1 else of_two(*pair) for pair in pairs]
        found[row] = base[row] + level[0]
    return found


def of_two(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    if not a.any() or not b.any():
        return a + b
    return (1 - a @ b / (2 * a @ a)) * a + (1 - a @ b / (2 * b @ b)) * b


def test_two_by_hand() -> None:
    """Orthogonal steps add up, equal ones count once, opposite ones cancel, and one alone counts in full.

    The last: a = (2, 0), b = (1, 1), a·b = 2, so (1 − 2/8) · a + (1 − 2/4) · b = (1.5, 0) + (0.5, 0.5).
    """
    base = rows([1, 1], [1, 1], [1, 1], [1, 1], [1, 1])
    a = base + rows([1, 0], [3, 2], [1, 2], [0, 0], [2, 0])
    b = base + rows([0, 1], [3, 2], [-1, -2], [5, 0], [1, 1])

    assert (combine(base, [a, b]) == base + rows([1, 1], [3, 2], [0, 0], [5, 0], [2, 0.5])).all()


@pytest.mark.parametrize("replicas", [2, 3, 4, 7, 8])
def test_the_equation(replicas: int) -> None:
    """Any number of replicas is combined as the equation says, over the fixed tree."""
    base, learnt = drawn(replicas)

    np.testing.assert_allclose(combine(base, learnt), slowly(base, learnt), rtol=1e-5, atol=1e-5)


def test_one_replica_is_itself() -> None:
    """With a single replica nothing is computed: its bits stay, and are its own no more."""
    base, (learnt,) = drawn(1)
    learnt *= np.float32(1e-6)  # so that base + (learnt − base) would be other bits
    combined = combine(base, [learnt])

    assert combined.tobytes() == learnt.tobytes()
    assert not np.shares_memory(combined, learnt)


@pytest.mark.parametrize("parts", [2, 3, 8, 60, 61])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_parts_are_the_same_as_the_whole(monkeypatch: pytest.MonkeyPatch, parts: int, size: int) -> None:
    """Rows are combined to the same bits in any number of parts, of any length, wherever they lie in memory."""
    base, learnt = drawn(5, size=size)
    whole = combine(base, learnt)
    monkeypatch.setattr(meeting, "CHUNK", 7)
    cuts = [slice(60 * part // parts, 60 * (part + 1) // parts) for part in range(parts)]
    split = [combine(base[cut], [table[cut] for table in learnt]) for cut in cuts]

    assert np.concatenate(split).tobytes() == whole.tobytes()


def test_what_nobody_has_moved_stays() -> None:
    """Rows without a step keep their bits, and steps too small to square are added without a division by zero."""
    base = rows([0, 0], [0.1, 0.2])
    tiny = base + rows([1e-30, 0], [0, 0])
    with np.errstate(under="ignore"):
        combined = combine(base, [tiny, tiny, base])

    assert combined.tobytes() == (base + rows([2e-30, 0], [0, 0])).tobytes()
