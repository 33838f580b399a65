"""Which failure may pass by itself: a network or a server that is away. Wrong input stays wrong, however often tried.

A task says that it may be tried again for such a failure (`retry_condition_fn=may_pass`). How often, and after how many
seconds, Prefect's settings say: not at all at a terminal, where somebody reads the message, and as in prefect.yaml
where a worker runs it.
"""

from typing import Any

from httpx import HTTPStatusError, TransportError
from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from tasks.errors import Unreachable

PASSING = {408, 425, 429, 502, 503, 504}  # of HTTP's answers


def may_pass(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether the failure, or what was behind it, is that somebody did not answer."""
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
