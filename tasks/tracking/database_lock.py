"""An MLflow client that waits as long as another process has locked the database, and logs that it waits.

MLflow itself waits 20 seconds. SQLite's lock is the operating system's and ends with the process that holds it. A
request that was refused has been rolled back, so it may be sent again.
"""

import functools
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tasks.engine.waiting import AGAIN
from tasks.refusals import LOCKED, cause

if TYPE_CHECKING:
    from mlflow import MlflowClient

PAUSE = 0.5  # seconds between two attempts

R = TypeVar("R")
log = logging.getLogger("w2v")


def patiently(place: str, ask: Callable[[], R]) -> R:
    """Return ask(), called again until no other process has locked the database. Raises what else it raises."""
    logged = 0.0
    while True:
        try:
            return ask()
        except Exception as error:
            if cause(error) != LOCKED:
                raise
            if not logged or time.monotonic() - logged > AGAIN:
                logged = time.monotonic()
                log.warning("waiting for %s, which another process has locked …", place)
        time.sleep(PAUSE)


def patient(client: "MlflowClient", place: str) -> "MlflowClient":
    """Return the client with every request wrapped in `patiently`."""
    return cast("MlflowClient", _Patient(client, place))


class _Patient:
    def __init__(self, client: "MlflowClient", place: str) -> None:
        self._client, self._place = client, place

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        @functools.wraps(found)
        def asked(*arguments: Any, **named: Any) -> Any:
            return patiently(self._place, lambda: found(*arguments, **named))

        return asked
