"""Ctrl-C, SIGTERM and a closed terminal: as a flag for work that must not be cut in two, and as one way to end.

A signal that was ignored when the process started stays ignored: SIGHUP under `nohup`, SIGINT in a background job of a
shell without job control.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STREAMS = (0, 1, 2)  # standard input, output and error


class Interrupt:
    """A flag, true once a signal has arrived."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def catch(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal by setting the flag."""
        self.signal = number


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Collect SIGINT and SIGTERM in a flag; raise the signal again, for the former handler, at the end of the block.

    Signals reach the main thread only: in another thread the flag stays down.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    heard = [number for number in (signal.SIGINT, signal.SIGTERM) if not ignored(number)]
    former = {number: signal.signal(number, interrupt.catch) for number in heard}
    try:
        yield interrupt
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if interrupt.signal is not None:
        signal.raise_signal(interrupt.signal)


@contextmanager
def hung_up() -> Iterator[None]:
    """Within the block, treat a closed terminal (SIGHUP) as SIGTERM, and stop writing to that terminal.

    Leave a handler that the caller has set, or an ignored SIGHUP, as it is.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        yield
        return
    terminals = [stream for stream in STREAMS if os.isatty(stream)]

    def end(number: int, frame: FrameType | None) -> None:
        _silence(terminals)
        signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGHUP, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def ignored(number: int) -> bool:
    """Return True if this process ignores the signal."""
    return signal.getsignal(number) is signal.SIG_IGN


def _silence(streams: list[int]) -> None:
    """Send the streams to /dev/null: writing to a terminal that is gone would fail and hide how the work ended."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in streams:
        os.dup2(nowhere, stream)
    os.close(nowhere)
