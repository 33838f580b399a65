"""Notify about a flow run that failed or crashed: which one, where, why, and how to continue."""

import time
from typing import Any

from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.flows import Flow
from pydantic import ValidationError

from configs.schema import Config, Notify
from tasks import notifications
from tasks.engine import environment
from tasks.errors import PipelineError, TrackingError
from tasks.orchestration.flow_runs import server
from tasks.tracking.run import Run
from tasks.tracking.session import Tracker

CATCHING_UP = 5.0  # seconds that Prefect's server has to learn the states of tasks
SAID_BY_PREFECT = "Flow run encountered an exception: "


def tell(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Send the notification, as a hook of flows; a subflow, such as a sweep's candidate, leaves it to its parent."""
    if flow_run.parent_task_run_id:
        return
    try:
        config = Config.model_validate(flow_run.parameters.get("config"))
    except ValidationError:  # which may be why the flow failed
        config = None
    settings = config.notify if config else Notify()
    if not notifications.wanted(settings, ["failure"]):  # else the end of the command would wait for the server
        return
    run = _run(config, flow_run) if config else None
    message = notifications.of_failure(
        flow_run.name, _place(flow_run, crashed=state.is_crashed()), _error(state), run, again(flow_run)
    )
    notifications.tell(settings, message)


def _run(config: Config, flow_run: FlowRun) -> Run | None:
    try:
        return Tracker(config).of_flow_run(str(flow_run.id))
    except TrackingError:  # an unreachable MLflow must not hide the failure
        return None


def _place(flow_run: FlowRun, *, crashed: bool) -> str:
    """Return the names of the tasks that failed or crashed, else of those still running, or "the flow".

    Prefect's server learns the states of tasks a little later than they change. So while it shows none as failed, it is
    asked again, also when it shows none as running: the one that failed may have just begun. Not after a crash, when
    what was running was stopped by it.
    """
    deadline = time.monotonic() + (0 if crashed else CATCHING_UP)
    while True:
        try:
            tasks = _unfinished(flow_run)
        except PipelineError:  # Prefect is unreachable: report what we know anyway
            return "the flow"
        failed = [task for task in tasks if task.state_type != StateType.RUNNING]
        if failed or time.monotonic() > deadline:
            return ", ".join(sorted(task.name for task in failed or tasks)) or "the flow"
        time.sleep(0.2)


def _unfinished(flow_run: FlowRun) -> list[TaskRun]:
    badly = TaskRunFilterStateType(any_=[StateType.FAILED, StateType.CRASHED, StateType.RUNNING])
    with server() as client:
        return client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id])),
            task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=badly)),
        )


def _error(state: State[Any]) -> str:
    return (state.message or "").removeprefix(SAID_BY_PREFECT)


def again(flow_run: FlowRun) -> str:
    """Return the shell command that runs this again: that of the deployment, or the command that failed."""
    if flow_run.deployment_id:
        return f"prefect deployment run --id {flow_run.deployment_id}"
    return environment.command()
