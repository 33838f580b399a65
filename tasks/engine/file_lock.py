"""A file lock that logs which file it waits for, and which process holds it."""

import logging
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

SOON = 5.0  # seconds until it is said what is waited for
LOCKS = Path("/proc/locks")  # of Linux
log = logging.getLogger("w2v")


class Held(FileLock):
    """A FileLock that logs a warning when it has waited for SOON seconds."""

    def acquire(self, timeout: float | None = None, *words: Any, **named: Any) -> "AcquireReturnProxy[Held]":
        """Acquire the lock, however long it takes; with a timeout, raise filelock.Timeout as FileLock does."""
        if timeout is not None or self.timeout >= 0:
            return super().acquire(timeout, *words, **named)
        try:
            return super().acquire(SOON, *words, **named)
        except Timeout:
            log.warning("waiting for %s, which %s holds …", self.lock_file, holder(Path(self.lock_file)))
        return super().acquire(timeout, *words, **named)


def holder(file: Path) -> str:
    """Return "process PID" for the process that has locked the file, or "another process" if that is unknown."""
    try:
        inode = file.stat().st_ino
        lines = [line.split() for line in LOCKS.read_text().splitlines()]
    except OSError:
        return "another process"
    # A line is `1: FLOCK ADVISORY WRITE pid major:minor:inode start end`; a waiting process has an arrow before FLOCK.
    pids = [line[4] for line in lines if line[1] == "FLOCK" and line[5].rpartition(":")[2] == str(inode)]
    return f"process {pids[0]}" if pids and int(pids[0]) > 0 else "another process"
