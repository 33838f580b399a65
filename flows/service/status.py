"""`w2v status`: show the service's parts, the next run and the last runs."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from pydantic import Field, ValidationError

from configs.schema import Runtime
from flows.access.network import PREFECT_PASSWORD
from flows.service.components import PARTS
from flows.service.health import answers, ask, moment
from flows.service.state import Life, Place, State, clock
from tasks.comparison.kept import NightsPage, kept
from tasks.display.terminal import visible
from tasks.engine.outputs.readiness import address_of
from tasks.engine.store import FrozenModel
from tasks.engine.workers.choice import MANY, choice
from tasks.engine.workers.processes import CHILD

LAST = 5  # runs
LOOKED_FOR = ["retrain", "sweep", "reproduce", "backfill", "retain", "gc"]  # not reconcile, which runs each 15 min
UNAUTHORIZED = 401


class ServicePart(FrozenModel):
    name: str
    up: bool = Field(description="Whether it answers.")
    about: str = Field(description="Its process, since when, and how the one before ended.")
    page: str = Field(description="Its page, with the key that logs a browser in; empty if it has none.")


class FlowRun(FrozenModel):
    name: str
    state: str = Field(description="Prefect's name of its state.")
    began: str = Field(description="ISO 8601; of a scheduled run the time when it is due, empty if it has none.")
    page: str
    engine: str = Field(description="What prepares its text, and with how many workers; empty for another config.")


class Status(FrozenModel):
    up: bool = Field(description="Whether the service runs, and all its parts answer; the exit code is 1 if not.")
    since: str = Field(description="ISO 8601; empty if it does not run.")
    parts: list[ServicePart]
    next_run: FlowRun | None = Field(description="The next scheduled retraining, null if there is none.")
    runs: list[FlowRun] = Field(description="The last ones, newest first.")
    problems: list[str] = Field(description="What is wrong, with the way on.")
    workers: str = Field(description="The processes that make parts for a run of the service; empty without one.")
    remote: str = Field(description="The address of the shared store; empty without one.")
    nights: list[NightsPage] = Field(description="The versions of each model in time.")


def look(workspace: Path) -> Status:
    """Return the status of the service."""
    place = Place(workspace)
    state, remote = place.state, address_of(workspace)
    if state is None:
        left = len(place.processes())
        problems = [
            f"{workspace}: the service is not up{f', but {left} of its processes still run' if left else ''}",
            "`w2v up` starts it" + (" again, `w2v down` stops them" if left else ""),
        ]
        return Status(
            up=False,
            since="",
            parts=[],
            next_run=None,
            runs=[],
            problems=problems,
            workers="",
            remote=remote,
            nights=[page.model_copy(update={"page": ""}) for page in kept(workspace)],
        )
    place.enter(state)
    pages = place.links(state)
    parts = [
        ServicePart(name=name, up=answers(state, name), about=_life(state.lives.get(name)), page=pages.get(name, ""))
        for name in PARTS
    ]
    coming, runs, answered = [], [], True
    problems = [] if state.ready else ["still starting"]
    try:
        coming = _runs(state, ["retrain"], {"any_": ["SCHEDULED"]}, "NEXT_SCHEDULED_START_TIME_ASC", 1)
        runs = _runs(state, LOOKED_FOR, {"not_any_": ["SCHEDULED"]}, "START_TIME_DESC", LAST)
    except httpx.HTTPError as error:
        problems.append(_refusal(error))
        answered = False
    whole = all(part.up for part in parts)
    if not whole:
        problems.append(f"parts that end or hang are restarted; the log has the cause: {place.log}")
    return Status(
        up=whole and answered,
        since=_iso(state.since),
        parts=parts,
        next_run=next(iter(coming), None),
        runs=runs,
        problems=problems,
        workers=_said(workers(place)),
        remote=remote,
        nights=[_served(place, state, page) for page in kept(workspace)],
    )


def show(status: Status) -> None:
    """Print the status."""
    if status.remote:
        print(f"remote {status.remote}")
    if status.since:
        print(f"up since {_clock(status.since)}")
    for part in status.parts:
        print(f"{'✓' if part.up else '✗'} {part.name:<8} {part.about}{f'  {part.page}' if part.page else ''}")
    if status.workers:
        print(f"  workers  {status.workers}")
    if status.since:
        coming = status.next_run
        print(f"\nnext run  {_clock(coming.began)}  retrain" if coming else "\nno retraining is scheduled")
        if coming and coming.engine:
            print(f"engine    {coming.engine}")
        print()
    for run in status.runs:
        began = _clock(run.began) if run.began else "not started"
        print(f"last run  {began}  {visible(run.name)}  {run.state}  {run.page}")
    for nights in status.nights:
        print(f"nights    {visible(nights.model)}  {nights.page or nights.file}")
    for problem in status.problems:
        print(visible(problem))


def _served(place: Place, state: State, page: NightsPage) -> NightsPage:
    """Return the page with its address on MLflow's server, ours if the run was made without one."""
    address = page.page if page.page.startswith("http") else f"{state.mlflow}/{page.page}"
    return page.model_copy(update={"page": place.link(state, "mlflow", address)})


def _refusal(error: httpx.HTTPError) -> str:
    if not isinstance(error, httpx.HTTPStatusError):
        return f"Prefect does not answer: {error}"
    code = error.response.status_code
    password = f"; it needs a password: set {PREFECT_PASSWORD}" if code == UNAUTHORIZED else ""
    return f"Prefect answers {code}{password}"


def workers(place: Place) -> list[int]:
    """Return the memory of each process that makes parts for a run of the service, in bytes."""
    found = []
    for process in place.processes():
        with suppress(psutil.Error):
            if CHILD in process.cmdline():
                found.append(process.memory_info().rss)
    return found


def _said(memory: list[int]) -> str:
    return f"{len(memory)} processes make parts, with {max(memory) / 1e6:,.0f} MB at most" if memory else ""


def _life(life: Life | None) -> str:
    if life is None:
        return "not started yet"
    again = f", {life.ended}; restarted {life.starts - 1} ×" if life.ended else ""
    return f"process {life.pid} since {clock(life.since)}{again}" if life.pid else f"{life.ended}, to be restarted"


def engine(parameters: dict[str, Any]) -> str:
    """Return what will prepare a text of some size; "" for the config of another version."""
    with suppress(ValidationError):
        runtime = Runtime.model_validate(parameters.get("config", {}).get("runtime", {}))
        return choice(runtime, MANY).described
    return ""


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _clock(said: str) -> str:
    return clock(moment(said))


def _runs(state: State, flows: list[str], kind: dict[str, list[str]], order: str, limit: int) -> list[FlowRun]:
    named = {"name": {"any_": flows}}
    wanted = {"flows": named, "flow_runs": {"state": {"type": kind}}, "sort": order, "limit": limit}
    return [
        FlowRun(
            name=run["name"],
            state=run["state_name"],
            began=run["start_time"] or run["next_scheduled_start_time"] or "",
            page=f"{state.prefect}/runs/flow-run/{run['id']}",
            engine=engine(run["parameters"]),
        )
        for run in ask(state.prefect, "flow_runs/filter", wanted)
    ]
