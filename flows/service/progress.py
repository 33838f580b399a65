"""Decide how long to wait for a process, by its processor time, since a busy machine slows it down.

Waiting ends when the process has been
idle     for `limit` seconds: it used almost none of its share of a processor (stopped, asleep, waiting)
working  for `limit` seconds of processor time without an answer
silent   for GUARD times the limit, in any case
"""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

GUARD = 10
SHARE = 0.25  # of a process's fair share of a processor; below that it is idle


class Progress:
    """The progress of some processes and of all their descendants."""

    def __init__(self, limit: float, processes: Callable[[], Iterable[psutil.Process]]) -> None:
        self._processes = processes
        self.renew(limit)

    def renew(self, limit: float) -> None:
        """Start counting again, since the process has just answered."""
        self._limit, self._worked = limit, 0.0
        self._began = self._idle_since = self._looked = time.monotonic()
        self._used = _used(self._processes())

    def over(self) -> str:
        """Return why to stop waiting, or "" to go on; to be called repeatedly."""
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
    """Return the fraction of a processor that each ready process gets, by the load average."""
    return min(1.0, (os.cpu_count() or 1) / max(1.0, os.getloadavg()[0]))


def _used(processes: Iterable[psutil.Process]) -> float:
    """Return the processor time used so far, in seconds, including that of children that have ended."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    total += sum(each.cpu_times()[:4])
    return total
