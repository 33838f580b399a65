"""The service's log: output of the parts is copied, and a flood is counted."""

import io

import pytest

from flows.service import copied
from flows.service.copied import Copied, lines_of
from tasks.refusals import FULL, LOCKED, Refusal


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
    """Lines that differ only in numbers are counted as one kind; another line between them is copied."""
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
    """At most MOST lines are copied; the others are summed up in one line at the end."""
    for number in range(5_000):
        log.line("x" * (number % 97) + "y" * (number // 97))
    log.tell()

    assert said[:2] == ["", "x"]
    assert said[copied.MOST :] == ["(4,000 more: lines of many kinds)"]


def test_what_was_left_out_is_told_once(log: Copied, said: list[str], clock: Clock) -> None:
    """A new period counts from zero."""
    for _ in range(copied.SAME + 1):
        log.line("it fails")
    log.tell()
    log.tell()

    assert said[copied.SAME :] == ["(1 more: it fails)"]


@pytest.mark.parametrize(
    ("said_last", "expected"),
    [
        (["OperationalError: database is locked", "[SQL: PRAGMA journal_mode]", "Exiting."], LOCKED),
        (["OperationalError: database is locked", *["fine"] * copied.LAST], None),
        (["database is locked", "No space left on device", "Exiting."], FULL),
    ],
)
def test_the_cause_of_an_end_is_in_the_last_words(said_last: list[str], expected: Refusal | None, log: Copied) -> None:
    """The last that is known, below or above what else is said; not one of long ago."""
    for line in said_last:
        log.line(line)

    assert log.cause == expected


def test_the_same_line_is_copied_again_later(log: Copied, said: list[str], clock: Clock) -> None:
    """In a new period a line is copied again, so an hourly failure is seen each hour."""
    for hour in range(100):
        clock.now = hour * 3_600.0
        log.line("it fails")

    assert said == ["it fails"] * 100


def test_a_line_without_an_end_is_not_waited_for() -> None:
    """An endless line is split into several."""
    assert list(lines_of(io.StringIO("a\n\n" + "b" * (copied.LONGEST + 5)))) == ["a", "", "b" * copied.LONGEST, "b" * 5]
