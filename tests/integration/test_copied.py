"""The service's log: what its parts say is copied, and a flood is counted."""

import io

import pytest

from flows.service import copied
from flows.service.copied import Copied, lines_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def log(said: list[str], clock: Clock) -> Copied:
    return Copied(said.append, clock)


def test_a_flood_is_counted(log: Copied, said: list[str], clock: Clock) -> None:
    """Lines that differ in numbers alone are alike; another line is copied in the midst of them."""
    for number in range(10_000):
        log.line(f"socket.accept() out of system resource fd={number}")
    log.line("Traceback of something else")
    clock.now = copied.PERIOD + 1
    log.line("later")

    assert said[: copied.SAME] == [f"socket.accept() out of system resource fd={each}" for each in range(copied.SAME)]
    assert said[copied.SAME :] == [
        "Traceback of something else",
        "(9,980 more: socket.accept() out of system resource fd=…)",
        "later",
    ]


def test_a_flood_of_different_lines_is_counted_too(log: Copied, said: list[str]) -> None:
    """As many as are copied at all, and few words for the rest, which is told at the end."""
    for number in range(5_000):
        log.line("x" * (number % 97) + "y" * (number // 97))
    log.tell()

    assert said[:2] == ["", "x"]
    assert len(said) <= copied.MOST + copied.SAME + 1
    assert sum(int(line[1:].split()[0].replace(",", "")) for line in said[copied.MOST :]) == 4_000


def test_the_same_line_is_copied_again_later(log: Copied, said: list[str], clock: Clock) -> None:
    """In a new period: what fails each hour is seen each hour."""
    for hour in range(100):
        clock.now = hour * 3_600.0
        log.line("it fails")

    assert said == ["it fails"] * 100


def test_a_line_without_an_end_is_not_waited_for() -> None:
    """It is as many lines as it takes."""
    assert list(lines_of(io.StringIO("a\n\n" + "b" * (copied.LONGEST + 5)))) == ["a", "", "b" * copied.LONGEST, "b" * 5]
