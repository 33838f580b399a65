"""Log what a long wait is for, and how busy the machine is."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SOON = 1.5  # seconds before the first line
AGAIN = 60.0  # seconds between two lines

log = logging.getLogger("w2v")


@contextmanager
def announced(what: str, doing: str = "waiting for") -> Iterator[None]:
    """Log what the block is doing, if it takes longer than SOON seconds, and again every AGAIN seconds."""
    over = threading.Event()
    threading.Thread(target=_log_until, args=(f"{doing} {what}", over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def scaled(seconds: float) -> float:
    """Return a time limit, given for an idle machine, multiplied by the load per core."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _log_until(what: str, over: threading.Event) -> None:
    pause = SOON
    while not over.wait(pause):
        log.info("%s (load %.0f) …", what, os.getloadavg()[0])
        pause = AGAIN
