"""Health checks of the service's parts: a malformed answer counts as none."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from flows.service import health
from flows.service.state import Life, State
from tests.support.servers import in_thread

NOW = "NOW"  # stands for the time of the answer


@contextmanager
def said(body: str, status: int = 200) -> Iterator[State]:
    """A service whose servers always give this answer, and whose parts have just started."""

    async def app(scope: dict[str, str], receive: object, send: object) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": body.replace(NOW, datetime.now(UTC).isoformat()).encode()})  # type: ignore[operator]

    with in_thread(lambda port: app, lifespan="off") as port:
        address, since = f"http://127.0.0.1:{port}", time.time() - 10
        lives = {name: Life(os.getpid(), since) for name in ("prefect", "mlflow", "worker")}
        yield State(address, address, os.getpid(), since, [], lives=lives)


@pytest.mark.parametrize(
    ("body", "works"),
    [
        (f'[{{"last_heartbeat_time": "{NOW}"}}]', True),
        (f'[{{"last_heartbeat_time": "2020-01-01T00:00:00Z"}}, {{"last_heartbeat_time": "{NOW}"}}]', True),
        ('[{"last_heartbeat_time": "2020-01-01T00:00:00Z"}]', False),
        ('[{"last_heartbeat_time": null}]', False),
        ('[{"last_heartbeat_time": "soon"}]', False),
        ('[{"name": "worker"}]', False),
        ("[1]", False),
        ("[]", False),
        ("null", False),
        ("7", False),
        ("<html>a proxy</html>", False),
        ("", False),
    ],
)
def test_a_worker_works_if_its_heartbeat_was_heard(body: str, works: bool) -> None:
    """A malformed answer is not a heartbeat, and causes no error in the supervisor."""
    with said(body) as state:
        assert health.answers(state, "worker") == works


@pytest.mark.parametrize(("status", "works"), [(200, True), (500, False), (404, False)])
def test_a_server_works_if_it_says_so(status: int, works: bool) -> None:
    """The status of the health page decides; a part without a process does not work."""
    with said("true", status) as state:
        found = [health.answers(state, name) for name in ("prefect", "mlflow")]
        state.lives["mlflow"].pid = 0
        found.append(health.answers(state, "mlflow"))

    assert found == [works, works, False]
