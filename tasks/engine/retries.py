"""Which failures to retry: a network or a server that cannot be reached. Wrong input stays wrong on every attempt.

A task declares that such failures may be retried (`retry_condition_fn=may_pass`). Prefect's settings say how often, and
after how many seconds: never at a terminal, where a person reads the message; as in prefect.yaml in a worker.
"""

from typing import Any

from httpx import HTTPStatusError, TransportError
from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from tasks.errors import Unreachable

PASSING = {408, 425, 429, 502, 503, 504}  # HTTP status codes that are worth a retry


def may_pass(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Return True if the failure, or one of its causes, is that a server or network did not answer."""
    error = state.data if isinstance(state.data, BaseException) else None
    while error:
        if _unanswered(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _unanswered(error: BaseException) -> bool:
    if isinstance(error, HTTPStatusError):
        return error.response.status_code in PASSING
    return isinstance(error, (Unreachable, ConnectionError, TimeoutError, TransportError))
