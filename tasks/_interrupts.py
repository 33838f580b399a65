"""Ctrl-C and SIGTERM as a flag: work that must not be torn apart looks at it where it may stop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def catch(self, number: int, frame: FrameType | None) -> None:
        self.signal = number


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Collect the signal in a flag; it is delivered again, to whoever had it before, when the block is left.

    Signals reach the main thread only: elsewhere the flag stays down.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    former = {number: signal.signal(number, interrupt.catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if interrupt.signal is not None:
        signal.raise_signal(interrupt.signal)
