"""Waiting that is told: whoever looks at a terminal, or at a log, knows for what, and that the machine is busy."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SOON = 5.0  # seconds, after which it is told
AGAIN = 60.0  # seconds between two such lines

log = logging.getLogger("w2v")


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say what is waited for, if it takes long."""
    over = threading.Event()
    threading.Thread(target=_tell, args=(what, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def scaled(seconds: float) -> float:
    """So many seconds of an idle machine: longer, the more processes want each of its cores."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _tell(what: str, over: threading.Event) -> None:
    pause = SOON
    while not over.wait(pause):
        log.info("waiting for %s (load %.0f) …", what, os.getloadavg()[0])
        pause = AGAIN
