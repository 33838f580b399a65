"""Keep the parts of the service running and answering, until SIGTERM.

python -m flows.service.supervisor SERVICE     (SERVICE is JSON; the program imports nothing large)
"""

import logging
import os
import signal
import socket
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path

import psutil

from flows.access import credentials
from flows.access.network import check_ports, passwords_asked_for
from flows.servers.settings import Masking
from flows.service.components import DATABASE, Service, components
from flows.service.state import Place, State
from flows.service.supervised import BACKLOG, SOON, Supervised, end
from tasks.engine import scratch
from tasks.engine.interrupts import ignored
from tasks.errors import PipelineError

log = logging.getLogger("w2v.service")

LOG_SIZE, LOGS = 5_000_000, 3


def supervise(service: Service) -> None:
    """Start the parts, and restart those that die or hang, until SIGTERM.

    Raises PipelineError if a part never answers.
    """
    place = Place(Path(service.workspace))
    stopping = threading.Event()
    kept: list[Supervised] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if not ignored(number):
            signal.signal(number, lambda *_: stopping.set())
    with place.lock.acquire(timeout=SOON), scratch.used(Path(service.workspace)):
        place.shut(os.environ[DATABASE])
        _log_to(place)
        us = psutil.Process()
        addresses = service.address("prefect"), service.address("mlflow")
        state = State(*addresses, us.pid, us.create_time(), [], workspace=service.workspace)
        try:
            kept = _prepare(service, place, state)
            _start(kept, stopping)
            state.ready = not stopping.is_set()
            place.write(state)
            while not stopping.wait(SOON):
                for each in kept:
                    each.look_after()
        except PipelineError as error:
            log.error("%s", error)
            raise
        finally:
            for each in reversed(kept):
                each.stop()
            end(place.processes())  # those that have left their parent
            place.sweep()
            place.clear()
            log.info("stopped")


def _prepare(service: Service, place: Place, state: State) -> list[Supervised]:
    """Return the parts with their credentials; this process needs them too, for its health checks."""
    state.asks = passwords_asked_for()
    addresses = {"PREFECT_API_URL": f"{state.prefect}/api", "MLFLOW_TRACKING_URI": state.mlflow}
    own = credentials.make(place.folder, addresses)
    check_ports(service.host, service.ports)
    listening = sockets(service)
    kept = [
        Supervised(part, place, state, service.patience, listening.get(part.name)) for part in components(service, own)
    ]
    place.enter(state)
    return kept


def sockets(service: Service) -> dict[str, socket.socket]:
    """Listen on the ports of both servers, on the service's host; return the sockets by server."""
    return {
        server: socket.create_server((service.host, port), backlog=BACKLOG) for server, port in service.ports.items()
    }


def _start(kept: list[Supervised], stopping: threading.Event) -> None:
    """Start both servers, and the worker when they answer. Raises PipelineError if a part ends, or is too slow."""
    *servers, worker = kept
    for group in (servers, [worker]):
        for each in group:
            each.start()
        waiting = group
        while waiting := [each for each in waiting if not each.answers()]:
            if stopping.wait(SOON):
                return
            for each in waiting:
                if why := each.ended or each.progress.over():
                    if not each.cause_passes:
                        raise PipelineError(f"{each.name} does not start: {why}")
                    each.look_after()


def _log_to(place: Place) -> None:
    """Log to the service's file, and to standard error for a service in the foreground."""
    file = RotatingFileHandler(place.log, maxBytes=LOG_SIZE, backupCount=LOGS, encoding="utf-8")
    for handler in (file, logging.StreamHandler()):
        handler.setFormatter(Masking("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)


if __name__ == "__main__":
    try:
        supervise(Service.read(sys.argv[1]))
    except PipelineError:
        sys.exit(1)
