"""Waiting that is bounded by progress: for stopped or sleeping processes, endless loops, and slow machines."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from flows.service import progress
from flows.service.progress import Progress

LIMIT = 1.0
ASLEEP, BUSY = "import time; time.sleep(600)", "while True: pass"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"
SLOW = """
import time
while True:
    until = time.process_time() + 0.03
    while time.process_time() < until: pass
    time.sleep(0.17)
"""


@contextmanager
def running(code: str) -> Iterator[psutil.Process]:
    with subprocess.Popen([sys.executable, "-c", code], process_group=0) as process:
        try:
            time.sleep(0.3)  # its own start is over
            yield psutil.Process(process.pid)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def told(process: psutil.Process, seconds: float, wait: Callable[[float], None] = time.sleep) -> tuple[str, float]:
    """Return why waiting ended, and after how long; nothing if it did not end in that time."""
    waited, began = Progress(LIMIT, lambda: [process]), time.monotonic()
    while not (why := waited.over()) and time.monotonic() - began < seconds:
        wait(0.2)
    return why, time.monotonic() - began


@pytest.fixture(autouse=True)
def load(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Processes that want a processor of this machine."""
    monkeypatch.setattr(os, "getloadavg", lambda: (getattr(request, "param", 0.0), 0.0, 0.0))


@pytest.mark.parametrize("load", [0.0, 40.0], indirect=True)
def test_what_does_nothing_is_told_soon(load: None) -> None:
    """A sleeping or stopped process is noticed, however busy the machine is."""
    with running(ASLEEP) as asleep, running(BUSY) as stopped:
        stopped.suspend()
        found = [told(each, 60) for each in (asleep, stopped)]

    assert all(why.startswith("it has done nothing for") for why, _ in found)
    assert all(seconds < 20 * LIMIT for _, seconds in found)


@pytest.mark.parametrize("load", [1_000.0], indirect=True)
@pytest.mark.parametrize("code", [BUSY, PARENT], ids=["itself", "its child"])
def test_what_works_without_end_is_told(load: None, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy process is given up after its limit of processor time."""
    monkeypatch.setattr(progress, "GUARD", 1_000)
    with running(code) as circling:
        why, _ = told(circling, 300)

    assert why.startswith("it has worked for")


@pytest.mark.parametrize(("load", "why"), [(40.0, ""), (0.0, "it has done nothing")], indirect=["load"])
def test_what_gets_little_of_a_busy_machine_is_waited_for(load: None, why: str) -> None:
    """Little processor time is progress on a busy machine, and none on an idle one."""
    with running(SLOW) as slow:
        said, _ = told(slow, 3 * LIMIT)

    assert said[:19] == why


@pytest.mark.parametrize("load", [40.0], indirect=True)
def test_no_process_is_waited_for_for_ever(load: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A final limit ends the wait for a process that makes little progress."""
    monkeypatch.setattr(progress, "GUARD", 2)
    with running(SLOW) as slow:
        why, _ = told(slow, 60)

    assert why.startswith("it has not answered for")


@pytest.mark.parametrize(
    ("rate", "why"), [(8.0, "it has worked for 6 s without an answer"), (0.0, "it has done nothing for 6 s")]
)
def test_seconds_are_counted_from_the_last_answer(rate: float, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight threads have worked for as long as one; work before the answer does not count."""
    seconds = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: seconds)
    monkeypatch.setattr(progress, "_used", lambda processes: 100 + rate * seconds)
    waited, found = Progress(5.5, list), []
    for _ in range(6):
        seconds += 1
        found.append(waited.over())

    assert found == [""] * 5 + [why]


def test_what_has_ended_has_worked_too() -> None:
    """A program that starts others, one after the other, gets on by them."""
    child = "import time\nwhile time.process_time() < 0.5: pass"
    with running(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); {ASLEEP}") as parent:
        deadline = time.monotonic() + 120
        while not (ended := sum(parent.cpu_times()[2:4])):
            assert time.monotonic() < deadline
            time.sleep(0.1)

        assert progress._used([parent]) >= ended + sum(parent.cpu_times()[:2])
