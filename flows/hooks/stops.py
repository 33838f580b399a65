"""Mark a flow that was stopped by Ctrl-C, SIGTERM or a closed terminal as Cancelled, not as Crashed with its alarms."""

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import State
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun, TerminationSignal
from prefect.states import Cancelled

from flows.hooks.failures import again
from tasks.engine import scratch
from tasks.engine.interrupts import hung_up
from tasks.errors import TrackingError

log = logging.getLogger("w2v")
P = ParamSpec("P")
R = TypeVar("R")


def stoppable(work: Callable[P, R]) -> Callable[P, R]:
    """Wrap a flow's function, so that a stop ends it as Cancelled; a calling flow then gets Prefect's CancelledRun."""

    @functools.wraps(work)
    def until_stopped(*arguments: P.args, **named: P.kwargs) -> Any:
        try:
            with hung_up(), scratch.used(_workspace()):
                return work(*arguments, **named)
        except BaseException as error:
            if not _is_stop(error):
                raise
            context = FlowRunContext.get()
            if not context or not context.flow or not context.flow_run:
                raise
            command = again(context.flow_run)
            message = f"Stopped by Ctrl-C, SIGTERM or a closed terminal. `{command}` continues where it stopped."
            end: State[Any] = Cancelled(message=message)
            for hook in context.flow.on_cancellation_hooks:
                try:
                    hook(context.flow, context.flow_run, end)
                except TrackingError as refused:  # MLflow cannot be reached
                    log.warning("✗ %s", refused)
            return end

    return until_stopped


def _workspace() -> Path:
    """Return the workspace of the running flow: that of its config, else its parameter `workspace`."""
    context = FlowRunContext.get()
    parameters = context.parameters or {} if context else {}
    config = parameters.get("config")
    return Path(config.runtime.workspace if config else parameters.get("workspace", "workspace"))


def _is_stop(error: BaseException | None) -> bool:
    """Return True for a stop, also if Prefect raised another error while it handled the stop."""
    while error and not isinstance(error, KeyboardInterrupt | TerminationSignal | CancelledRun):
        error = error.__context__
    return error is not None
