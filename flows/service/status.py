"""`w2v status`: show the service's parts, the next run and the last runs."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from pydantic import ValidationError

from configs.schema import Runtime
from flows.access.network import PREFECT_PASSWORD
from flows.service.components import PARTS
from flows.service.health import answers, ask, moment
from flows.service.state import Life, Place, State, clock
from tasks.display.terminal import visible
from tasks.engine.outputs.readiness import address_of
from tasks.engine.workers.choice import MANY, choice
from tasks.engine.workers.processes import CHILD

LAST = 5  # runs
LOOKED_FOR = ["retrain", "sweep", "reproduce", "backfill", "retain", "gc"]  # not reconcile, which runs each 15 min
UNAUTHORIZED = 401


def show(workspace: Path) -> int:
    """Print the status; return the exit code, 1 if a part is down."""
    place = Place(workspace)
    state = place.state
    if address := address_of(workspace):
        print(f"remote {address}")
    if state is None:
        left = len(place.processes())
        print(f"{workspace}: the service is not up{f', but {left} of its processes still run' if left else ''}")
        print("`w2v up` starts it" + (" again, `w2v down` stops them" if left else ""))
        return 1
    place.enter(state)
    pages = place.links(state)
    print(f"up since {clock(state.since)}{'' if state.ready else ', still starting'}")
    working = {name: answers(state, name) for name in PARTS}
    for name, works in working.items():
        page = f"  {pages[name]}" if name in pages else ""
        print(f"{'✓' if works else '✗'} {name:<8} {_life(state.lives.get(name))}{page}")
    if found := workers(place):
        print(f"  workers  {len(found)} processes make parts, with {max(found) / 1e6:,.0f} MB at most")
    try:
        _show_runs(state)
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        password = f"; it needs a password: set {PREFECT_PASSWORD}" if code == UNAUTHORIZED else ""
        print(f"✗ runs     Prefect answers {code}{password}")
        return 1
    except httpx.HTTPError as error:
        print(f"✗ runs     Prefect does not answer: {error}")
        return 1
    if not all(working.values()):
        print(f"parts that end or hang are restarted; the log has the cause: {place.log}")
    return int(not all(working.values()))


def workers(place: Place) -> list[int]:
    """Return the memory of each process that makes parts for a run of the service, in bytes."""
    found = []
    for process in place.processes():
        with suppress(psutil.Error):
            if CHILD in process.cmdline():
                found.append(process.memory_info().rss)
    return found


def _life(life: Life | None) -> str:
    if life is None:
        return "not started yet"
    again = f", {life.ended}; restarted {life.starts - 1} ×" if life.ended else ""
    return f"process {life.pid} since {clock(life.since)}{again}" if life.pid else f"{life.ended}, to be restarted"


def _show_runs(state: State) -> None:
    coming = _runs(state, ["retrain"], {"any_": ["SCHEDULED"]}, "NEXT_SCHEDULED_START_TIME_ASC", 1)
    for run in coming:
        print(f"\nnext run  {clock(moment(run['next_scheduled_start_time']))}  retrain")
        if by := engine(run["parameters"]):
            print(f"engine    {by}")
    print("" if coming else "\nno retraining is scheduled")
    for run in _runs(state, LOOKED_FOR, {"not_any_": ["SCHEDULED"]}, "START_TIME_DESC", LAST):
        began = clock(moment(run["start_time"])) if run["start_time"] else "not started"
        print(
            f"last run  {began}  {visible(run['name'])}  {run['state_name']}  {state.prefect}/runs/flow-run/{run['id']}"
        )


def engine(parameters: dict[str, Any]) -> str:
    """Return what will prepare a text of some size; "" for the config of another version."""
    with suppress(ValidationError):
        runtime = Runtime.model_validate(parameters.get("config", {}).get("runtime", {}))
        return choice(runtime, MANY).described
    return ""


def _runs(state: State, flows: list[str], kind: dict[str, list[str]], order: str, limit: int) -> list[dict[str, Any]]:
    named = {"name": {"any_": flows}}
    wanted = {"flows": named, "flow_runs": {"state": {"type": kind}}, "sort": order, "limit": limit}
    found: list[dict[str, Any]] = ask(state.prefect, "flow_runs/filter", wanted)
    return found
