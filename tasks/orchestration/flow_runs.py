"""Prefect's flow runs seen from outside: list open ones, find their last heartbeat, end or delete them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from configs.addresses import shown
from tasks.errors import PipelineError
from tasks.refusals import cause
from tasks.tracking.names import KEEP

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State, StateType

# the names of our flows; other flows on the same server are ignored
OURS = ["retrain", "retrain-seeds", "sweep", "reproduce", "gc", "retain", "reconcile"]
OFTEN, OFTEN_DAYS = ["reconcile"], 1.0  # a flow run every 15 minutes is 35,000 a year
MODEL = "model:"  # begins the tag of a deployment that names its registered model
RANDOM = re.compile("[a-z]+-[a-z]+")
AT_ONCE = 200  # maximum page size of Prefect's server
BEATS = 3  # number of Prefect's heartbeats that may be missed


@contextmanager
def server() -> "Iterator[SyncPrefectClient]":
    """Yield a client of the configured Prefect server. Raises PipelineError if it cannot be reached, or refuses."""
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    try:
        with get_client(sync_client=True) as client:
            yield client
    except HTTPError as error:
        refusal = cause(error)
        raise PipelineError(
            f"Prefect at {shown(str(PREFECT_API_URL.value()))} "
            f"{refusal.what if refusal else 'refuses the request'}\n"
            f"{next(iter(str(error).splitlines()), type(error).__name__)}\n"
            f"{refusal.way if refusal else 'Start it, or name another with PREFECT_API_URL.'}"
        ) from error


class FlowRuns:
    """The flow runs of one server."""

    def __init__(self, client: "SyncPrefectClient") -> None:
        self._client = client

    @property
    def patience(self) -> float:
        """Return how many seconds a live flow run may be silent."""
        from prefect.settings import get_current_settings

        return BEATS * float(get_current_settings().flows.heartbeat_frequency or 0)

    def open(self) -> "list[FlowRun]":
        """Return the flow runs that should be at work, except this one."""
        from prefect.client.schemas.objects import StateType
        from prefect.runtime import flow_run as running

        found = self._in_state([StateType.RUNNING, StateType.PENDING, StateType.CANCELLING], OURS)
        return [flow_run for flow_run in found if str(flow_run.id) != running.id]

    def last_beat(self, flow_run: "FlowRun") -> datetime | None:
        """Return the time of the flow run's last heartbeat, or None."""
        from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter

        wanted = EventFilter(
            event=EventNameFilter(name=["prefect.flow-run.heartbeat"]),
            resource=EventResourceFilter(id=[f"prefect.flow-run.{flow_run.id}"]),
        )
        beats = self._client.read_events(wanted, limit=1).events
        return beats[0].occurred if beats else None

    def end(self, flow_run: "FlowRun", why: str) -> None:
        """Set the flow run and its task runs to Crashed, or to Cancelled if that was requested."""
        from prefect.client.schemas.objects import State, StateType

        assert flow_run.state
        wanted = StateType.CANCELLED if flow_run.state.is_cancelling() else StateType.CRASHED
        self._end_tasks(flow_run, State(type=wanted, message=why))
        self._client.set_flow_run_state(flow_run.id, State(type=wanted, message=why), force=True)

    def complete_tasks(self, flow_run: "FlowRun") -> None:
        """Complete the task runs of a completed flow run that a killed server has not recorded as ended."""
        from prefect.states import Completed

        self._end_tasks(flow_run, Completed(message="Its flow run is completed; the server was killed meanwhile."))

    def _end_tasks(self, flow_run: "FlowRun", state: "State[Any]") -> None:
        """Set the state of the flow run's tasks that are recorded as running or pending."""
        from prefect.client.schemas.filters import (
            FlowRunFilter,
            FlowRunFilterId,
            TaskRunFilter,
            TaskRunFilterState,
            TaskRunFilterStateType,
        )
        from prefect.client.schemas.objects import StateType

        at_work = TaskRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])
        tasks = self._client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id])),
            task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=at_work)),
        )
        for task in tasks:
            self._client.set_task_run_state(task.id, state, force=True)

    def older(self, days: float) -> "list[FlowRun]":
        """Return flow runs older than `days` without the tag `keep`; a lower limit holds for frequent flows."""
        rare = self._ended_before([name for name in OURS if name not in OFTEN], days)
        return rare + self._ended_before(OFTEN, min(days, OFTEN_DAYS))

    def _ended_before(self, names: list[str], days: float) -> "list[FlowRun]":
        from prefect.client.schemas.filters import FlowRunFilterEndTime
        from prefect.client.schemas.objects import TERMINAL_STATES

        ended = FlowRunFilterEndTime(before_=datetime.now(UTC) - timedelta(days=days))
        found = self._in_state(sorted(TERMINAL_STATES), names, end_time=ended)
        return [flow_run for flow_run in found if KEEP not in flow_run.tags]

    def name_queued(self) -> None:
        """Name the runs that wait for their time or turn: Prefect gives them two random words until they start."""
        from prefect.client.schemas.objects import StateType

        for flow_run in list(self._in_state([StateType.SCHEDULED], OURS)):
            model = next((tag.removeprefix(MODEL) for tag in flow_run.tags if tag.startswith(MODEL)), "")
            if model and RANDOM.fullmatch(flow_run.name):
                flow = self._client.read_flow(flow_run.flow_id).name
                due = flow_run.expected_start_time
                why = f"due {due:%Y-%m-%d %H:%M} UTC" if flow_run.auto_scheduled and due else "waits for its turn"
                self._client.set_flow_run_name(flow_run.id, f"{model}: {flow}, {why}")

    def remove(self, flow_run: "FlowRun") -> None:
        """Delete the flow run with its tasks, logs and artifacts; Prefect itself would keep the artifacts."""
        from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

        of_it = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
        while artifacts := self._client.read_artifacts(artifact_filter=of_it, limit=AT_ONCE):
            for artifact in artifacts:
                self._client.delete_artifact(artifact.id)
        self._client.delete_flow_run(flow_run.id)

    def _in_state(self, states: "list[StateType]", names: list[str], **more: Any) -> "Iterator[FlowRun]":
        from prefect.client.schemas.filters import (
            FlowFilter,
            FlowFilterName,
            FlowRunFilter,
            FlowRunFilterState,
            FlowRunFilterStateType,
        )

        offset = 0
        while page := self._client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=names)),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)), **more),
            limit=AT_ONCE,
            offset=offset,
        ):
            yield from page
            offset += len(page)
