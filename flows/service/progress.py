"""How long to wait for a process: as long as it gets on, not by the clock, which runs as fast on a busy machine.

idle     for `limit` seconds: it has hardly used what the machine would have given it (stopped, asleep, waiting)
at work  for `limit` seconds of a processor: so much should have been enough
at all   GUARD times the limit
"""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

GUARD = 10
SHARE = 0.25  # of what a process would get beside all others that want a processor; below that it is idle


class Progress:
    """Of some processes and of all that they have started."""

    def __init__(self, limit: float, processes: Callable[[], Iterable[psutil.Process]]) -> None:
        self._processes = processes
        self.renew(limit)

    def renew(self, limit: float) -> None:
        """It has just answered."""
        self._limit, self._worked = limit, 0.0
        self._began = self._idle_since = self._looked = time.monotonic()
        self._used = _used(self._processes())

    def over(self) -> str:
        """Why it is waited for no longer; empty as long as it is. To be asked again and again."""
        now, used = time.monotonic(), _used(self._processes())
        passed, done = now - self._looked, used - self._used
        self._looked, self._used = now, used
        if done > passed * SHARE * _portion():
            self._worked += min(done, passed)
            self._idle_since = now
        if now - self._idle_since > self._limit:
            return f"it has done nothing for {now - self._idle_since:.0f} s"
        if self._worked > self._limit:
            return f"it has worked for {self._worked:.0f} s without an answer"
        return f"it has not answered for {now - self._began:.0f} s" if now - self._began > GUARD * self._limit else ""


def _portion() -> float:
    """Of a processor, that each process which wants one gets."""
    return min(1.0, (os.cpu_count() or 1) / max(1.0, os.getloadavg()[0]))


def _used(processes: Iterable[psutil.Process]) -> float:
    """Seconds of processors so far, those of children that have ended included."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    total += sum(each.cpu_times()[:4])
    return total
