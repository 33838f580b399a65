"""Schedules: their values at the beginning, on the way and at the end."""

import pytest

from w2v_core.schedules import SCHEDULES, learning_rate


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", [0.9, 0.7, 0.5, 0.3, 0.1]),
        ("cosine", [0.9, 0.5 + 0.2 * 2**0.5, 0.5, 0.5 - 0.2 * 2**0.5, 0.1]),
        ("constant", [0.9] * 5),
    ],
)
def test_quarters(schedule: str, expected: list[float]) -> None:
    """Rates from a peak of 0.9 to a floor of 0.1, at 0, 1/4, 1/2, 3/4 and 1 of the training."""
    found = [learning_rate(schedule, quarter / 4, peak=0.9, floor=0.1, warmup=0.0) for quarter in range(5)]

    assert found == pytest.approx(expected)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warm_up(schedule: str) -> None:
    """Over the first half the rate rises from the floor to the peak; the schedule then has the other half."""
    rates = [learning_rate(schedule, done, peak=0.9, floor=0.1, warmup=0.5) for done in (0, 0.25, 0.5, 1)]
    last = learning_rate(schedule, 1, peak=0.9, floor=0.1, warmup=0.0)

    assert rates == pytest.approx([0.1, 0.5, 0.9, last])


def test_nothing_but_warm_up() -> None:
    """A warm-up of the whole training ends at the peak."""
    assert learning_rate("linear", 1.0, peak=0.9, floor=0.1, warmup=1.0) == pytest.approx(0.9)
