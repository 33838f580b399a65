"""Log what a long wait is for, and how busy the machine is."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SOON = 5.0  # seconds before the first line
AGAIN = 60.0  # seconds between two lines

log = logging.getLogger("w2v")


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Log `what` the block waits for, if it takes longer than SOON seconds, and again every AGAIN seconds."""
    over = threading.Event()
    threading.Thread(target=_log_until, args=(what, over), daemon=True).start()
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
        log.info("waiting for %s (load %.0f) …", what, os.getloadavg()[0])
        pause = AGAIN
