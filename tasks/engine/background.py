"""Messages to a server, sent in the background: a server that does not answer does not slow the work.

There is one message at a time; a message that comes while another is under way is dropped. So each message must hold
everything that is new.
"""

from collections.abc import Callable
from contextvars import copy_context
from threading import Thread


class Courier:
    """A sender of one message at a time."""

    def __init__(self) -> None:
        self._way: Thread | None = None

    @property
    def busy(self) -> bool:
        """Return True if a message is under way."""
        return self._way is not None and self._way.is_alive()

    def send(self, message: Callable[[], None]) -> None:
        """Run `message` in a thread, in the caller's context (Prefect's too); drop it if another is under way.

        The thread is a daemon: the process does not wait for it to end.
        """
        if not self.busy:
            self._way = Thread(target=copy_context().run, args=[message], daemon=True)
            self._way.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the message under way has arrived or failed, for at most `seconds`."""
        if self._way:
            self._way.join(seconds)
