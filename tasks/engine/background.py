"""Messages to a server, sent beside the work: one that does not answer costs the work nothing.

One message at a time; what comes while one is under way is not sent. So a message says all that is new by then.
"""

from collections.abc import Callable
from contextvars import copy_context
from threading import Thread


class Courier:
    def __init__(self) -> None:
        self._way: Thread | None = None

    @property
    def busy(self) -> bool:
        return self._way is not None and self._way.is_alive()

    def send(self, message: Callable[[], None]) -> None:
        """Where it is called from, as Prefect's context sees it; who ends does not wait for it."""
        if not self.busy:
            self._way = Thread(target=copy_context().run, args=[message], daemon=True)
            self._way.start()

    def wait(self, seconds: float | None = None) -> None:
        """Until the message under way has arrived or failed, or so long."""
        if self._way:
            self._way.join(seconds)
