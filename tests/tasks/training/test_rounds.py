"""The rounds of a training by replicas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Training
from tasks.training.rounds import SOLO, meetings, rounds, warnings

SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=4)


@given(SIZES, st.integers(2, 9), st.integers(1, 40), st.integers(0, 400))
def test_every_window_is_learnt_once_and_in_order(rows: list[int], replicas: int, wanted: int, solo: int) -> None:
    """All windows of all epochs are in one slice of one round; the first by one model, the others by all replicas."""
    made = rounds(rows, Training(replicas=replicas, meetings=wanted, solo_windows=solo))
    at = 0

    for epoch, size in enumerate(rows):
        mine = [each for each in made if each.epoch == epoch]
        slices = [part for each in mine for part in each.slices]
        assert [each.number for each in mine] == list(range(len(mine)))
        assert [row for part in slices for row in part] == list(range(size))
        assert [each.first for each in mine] == [sum(len(e.slices) for e in mine[:n]) for n in range(len(mine))]
        for each in mine:
            alone = at + each.windows.start < solo
            assert len(each.slices) == (1 if alone else min(replicas, len(each.windows)))
        at += size


def test_meetings_are_as_many_as_wanted() -> None:
    """They are shared out over the epochs by windows, and the slices of all replicas are equal."""
    made = rounds([5_000_000, 4_000_000, 6_000_000], Training(replicas=8, meetings=100, solo_windows=1_000_000))
    shared = [sum(each.epoch == epoch and each.replicas == 8 for each in made) for epoch in range(3)]
    sizes = [len(part) for each in made if each.replicas == 8 for part in each.slices]

    assert meetings(made) == 100
    assert shared == [29, 28, 43]
    assert max(sizes) < 1.05 * min(sizes)
    assert [len(each.windows) for each in made if each.replicas == 1] == [SOLO] * 4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"replicas": 4}, ""),
        ({"meetings": 10}, ""),
        (
            {"replicas": 4, "meetings": 49},
            "training.meetings: 4 replicas are combined only 49 times. With fewer",
        ),
        ({"replicas": 4, "solo_windows": 10**7}, "training.replicas: one model learns all 10,000,000 windows alone"),
    ],
)
def test_few_meetings_are_warned_of(settings: dict[str, int], said: str) -> None:
    """Fewer than 50 meetings, or none, are said; with one replica there is nothing to say."""
    told = "".join(warnings(Training(**settings), [5_000_000, 5_000_000]))

    assert told.startswith(said)
    assert bool(told) == bool(said)
