"""A stand-in for Prefect's server, if none can be started: it accepts every request of a flow, and stores nothing.

So a flow runs without a server and without a second code path: its states are accepted, its hooks run, and its MLflow
run is complete. Only Prefect's record is missing. The stand-in runs in a thread of this process.
"""

import json
import re
import socket
import threading
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from flows.access.guard import App, Message, Receive, Send

Answer = tuple[int, Any]
ONE = re.compile(r"/api/\w+/(?P<id>[0-9a-f-]{36})$")


class StandIn:
    """An ASGI application that remembers created objects until the process ends."""

    def __init__(self) -> None:
        self._created: dict[str, dict[str, Any]] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await _swallow(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        status, value = self.answer(scope["method"], scope["path"], json.loads(body or b"{}"))
        content = b"" if value is None else json.dumps(value).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """Return the status and the body that Prefect's server would answer."""
        named = ONE.match(path)
        if path == "/api/health":
            return 200, True
        if path == "/api/admin/version":
            from prefect import __version__

            return 200, __version__
        if path == "/api/csrf-token":
            return 422, {"detail": "CSRF protection is disabled."}  # the client searches for these words
        if path.endswith("/set_state"):
            state = {**body["state"], "id": str(uuid4()), "timestamp": _now()}
            return 201, {"status": "ACCEPT", "details": {"type": "accept_details"}, "state": state}
        if method == "GET":
            found = self._created.get(named["id"]) if named else None
            return (200, found) if found else (404, {"detail": "not recorded: there is no Prefect server"})
        if path.endswith(("/filter", "/paginate")):
            return 200, []
        if method == "POST" and isinstance(body, dict):
            return 201, self._create(body)
        return 204, None

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        new = {"id": str(uuid4()), "created": _now(), "updated": _now()}
        made = new | {name: value for name, value in body.items() if value is not None}
        self._created[made["id"]] = made
        return made


async def _swallow(scope: Message, receive: Receive, send: Send) -> None:
    """Accept a stream of events, and discard them."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    while (message := await receive())["type"] != "websocket.disconnect":
        if '"auth"' in (message.get("text") or ""):
            await send({"type": "websocket.send", "text": '{"type": "auth_success"}'})


def answer_on(listening: socket.socket, app: App, backlog: int) -> None:
    """Serve the guarded application on the socket, in a thread, until this process ends.

    Unknown callers are limited, so that files of this process are left for its work.
    """
    import uvicorn

    from flows.access import strangers

    # no log_config: to configure logging flushes Prefect's handlers, and Prefect waits for us meanwhile
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, **strangers.limits()))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    listening.listen(backlog)  # the server has set a shorter queue


def _now() -> str:
    return datetime.now(UTC).isoformat()
