"""Check from outside whether a part of the service works: HTTP health checks, and the worker's heartbeat."""

import os
import time
from datetime import datetime
from typing import Any

import httpx

from flows.access.network import PREFECT_PASSWORD
from flows.service.components import POOL
from flows.service.state import State
from tasks.engine.waiting import scaled

SECONDS = 5  # to wait for an answer; more on a busy machine
SILENCE = 120  # seconds without a heartbeat after which a worker counts as silent; it sends one each 30 s


def answers(state: State, part: str) -> bool:
    """Return True if the part's current process works."""
    life = state.lives.get(part)
    if not life or not life.pid:
        return False
    if part == "prefect":
        return _is_there(f"{state.prefect}/api/health")
    if part == "mlflow":
        return _is_there(f"{state.mlflow}/health")
    return _has_beaten(state.prefect, max(life.since, time.time() - SILENCE))


def hangs(state: State, part: str) -> bool:
    """Return True if the part is unresponsive.

    The worker is judged only while Prefect's server answers, and has done so for long enough to hear its heartbeat.
    """
    if answers(state, part):
        return False
    if part != "worker":
        return True
    server = state.lives.get("prefect")
    return server is not None and time.time() - server.since > SILENCE and answers(state, "prefect")


def ask(prefect: str, path: str, wanted: dict[str, Any]) -> Any:
    """Post a query to Prefect's server and return its JSON answer. Raises httpx.HTTPError if it fails or is refused."""
    user, _, password = os.environ.get(PREFECT_PASSWORD, "").partition(":")
    answer = httpx.post(
        f"{prefect}/api/{path}", json=wanted, auth=(user, password) if user else None, timeout=scaled(SECONDS)
    )
    return answer.raise_for_status().json()


def moment(said: str) -> float:
    """Convert a time in ISO 8601 to seconds since 1970."""
    return datetime.fromisoformat(said).timestamp()


def _is_there(address: str) -> bool:
    try:
        return httpx.get(address, timeout=scaled(SECONDS)).is_success
    except httpx.HTTPError:
        return False


def _has_beaten(prefect: str, since: float) -> bool:
    """Return True if the server has received a worker's heartbeat since `since`."""
    try:
        workers = ask(prefect, f"work_pools/{POOL}/workers/filter", {})
        return any(moment(worker["last_heartbeat_time"]) > since for worker in workers)
    except (httpx.HTTPError, TypeError, KeyError, ValueError):  # or a malformed answer
        return False
