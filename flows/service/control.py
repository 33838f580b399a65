"""`w2v up` and `w2v down`: start and stop the service."""

import os
import subprocess
import time
from collections import deque
from pathlib import Path

from configs.addresses import shown
from flows.access.network import LOOPBACK, check_passwords, check_ports, what_is_open
from flows.servers import mlflow_server
from flows.service.components import DATABASE, PARTS, Service
from flows.service.health import answers
from flows.service.progress import Progress
from flows.service.state import Place, clock
from flows.service.supervised import STOP, end
from tasks.engine import scratch
from tasks.engine.environment import MODULE
from tasks.errors import PipelineError

LAST_LINES = 8  # of the log, shown if the service does not start
AGAIN = 15.0  # seconds until it is said again what is waited for


def up(service: Service, database: str, *, foreground: bool) -> None:
    """Start the service and return when every part answers; with `foreground`, replace this process by the supervisor.

    `database` is the address of MLflow's database. Raises PipelineError if the service cannot start.
    """
    place = Place(Path(service.workspace))
    if place.held:
        _already(place)
        return
    end(place.processes())  # left behind by a killed supervisor
    place.sweep()
    _check(service, database)
    if service.host != LOOPBACK:
        print(what_is_open(service.host, service.ports), flush=True)
    os.environ[DATABASE] = database
    supervisor = [*MODULE, "flows.service.supervisor", str(service)]
    if foreground:
        os.execve(supervisor[0], supervisor, scratch.outer())
    _detach(supervisor, place)


def _already(place: Place) -> None:
    state = place.state
    since = f"since {clock(state.since)}" if state else "or starting"
    print(f"already up, {since}; to apply a changed config: w2v deploy CONFIG; to change ports: w2v down first")
    for name, page in place.links(state).items() if state else ():
        print(f"  {name:<8} {page}")


def down(workspace: Path) -> None:
    """Stop every process of the service; a running training writes its checkpoint first.

    Raises PipelineError if the service does not stop.
    """
    place = Place(workspace)
    if state := place.state:
        supervisor = state.process
        supervisor.terminate()
        progress = Progress(5 * STOP, lambda: [supervisor])
        while place.held:
            if why := progress.over():
                raise PipelineError(
                    f"the service does not stop: {why}; see the log, {place.log}\nKill process {state.pid}."
                )
            time.sleep(0.2)
        print("stopped; the log is kept in", place.log)
    elif left := place.processes():  # the supervisor was killed
        end(left)
        place.sweep()
        place.clear()
        print(f"stopped {len(left)} processes of a killed supervisor")
    else:
        place.sweep()
        print(f"{workspace}: the service is not up")


def _check(service: Service, database: str) -> None:
    """Raise PipelineError if a server could not start, or would not be used."""
    if own := os.environ.get("PREFECT_API_URL"):
        raise PipelineError(
            f"PREFECT_API_URL names a Prefect server of your own: {shown(own)}\n"
            "Deploy the flows there with `w2v deploy`, or unset the variable to start a server here."
        )
    if database.startswith("http"):
        raise PipelineError(
            f"the tracking address names an MLflow server of your own: {shown(database)}\n"
            "`w2v up` starts its own: unset MLFLOW_TRACKING_URI and tracking.uri, or let them name a database."
        )
    check_passwords(service.host)
    mlflow_server.app_name()
    check_ports(service.host, service.ports)


def _detach(command: list[str], place: Place) -> None:
    supervisor = subprocess.Popen(
        command,
        env=scratch.outer(),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _tell(supervisor, place)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise
    print("\nthe links log a browser in; show them and the runs again  w2v status      stop the service  w2v down")


def _tell(supervisor: "subprocess.Popen[bytes]", place: Place) -> None:
    """Print each part when it answers, until all do. Raises PipelineError if the service ends instead."""
    began = told = time.monotonic()
    waiting = list(PARTS)
    print(f"starting {', '.join(PARTS)} …", flush=True)
    state, said = None, dict.fromkeys(PARTS, "")
    while waiting or not (state and state.ready):
        if supervisor.poll() is not None:
            raise PipelineError(f"the service does not start; the end of {place.log}:\n{_end_of_log(place)}")
        if state := place.state:
            place.enter(state)
        for name in [name for name in waiting if state and answers(state, name)]:
            assert state
            waiting.remove(name)
            where = place.links(state).get(name, "runs the deployed flows as scheduled")
            print(f"✓ {name:<8} {where}  ({time.monotonic() - began:.0f} s)", flush=True)
        for name, life in state.lives.items() if state else ():
            if life.ended not in ("", said[name]):
                said[name] = life.ended
                print(f"  {name:<8} {life.ended}; it is restarted", flush=True)
        if time.monotonic() - told > AGAIN:
            told = time.monotonic()
            print(f"  waiting for {', '.join(waiting) or 'the deployments'}  ({told - began:.0f} s)", flush=True)
        time.sleep(0.5)


def _end_of_log(place: Place) -> str:
    if not place.log.exists():
        return "(no log file)"
    with place.log.open(encoding="utf-8") as lines:
        return "".join(deque(lines, LAST_LINES)).rstrip()
