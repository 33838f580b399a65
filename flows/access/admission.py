"""Limits of our servers on connections, requests and slow clients.

    idle connections      IDLE at once; if one more comes, the oldest is closed
    a request's head      HEAD bytes, within PATIENCE seconds; its body BODY bytes, likewise
    requests              QUEUE at once, of which SLOTS are processed or sent, BODIES of those with a body
    a response            read by its client, PIECE bytes within PATIENCE seconds

uvicorn has no time limit for a head or a response: a client that sends a byte now and then, or reads nothing, would
keep its connection, and the memory of its response, for ever.
"""

import asyncio
from contextlib import nullcontext
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from flows.access.guard import App, Message, Receive, Scope, Send

IDLE = 100
HEAD = 1 << 16
QUERY = 1 << 15  # bytes of a head's query
BODY, BODIES = 1 << 20, 2  # bytes of a body, and bodies at once: their numbers take ten times as much in Python
PATIENCE = 10.0
QUEUE, SLOTS = 64, 8
PIECE = 1 << 16
TOO_LONG = f"expected  a body of up to {BODY:,} bytes\nAsk for less at once.\n"


class Impatient(H11Protocol):
    """One connection, with time limits: it is closed if it is idle, or its response is not read, for too long."""

    waiting: ClassVar[dict["Impatient", asyncio.TimerHandle]] = {}  # idle connections, oldest first
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_idle:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_idle:
            self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self._patience, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread:
            self._unread.cancel()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._unread:
            self._unread.cancel()
        super().connection_lost(exc)

    @property
    def _is_idle(self) -> bool:
        """Return True if no request is being processed; the rest of a body has the same time limit as a head."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _most(self) -> int:
        return IDLE

    @property
    def _patience(self) -> float:
        return PATIENCE

    def _wait(self) -> None:
        self._stop_waiting()
        self.waiting[self] = self.loop.call_later(self._patience, self.transport.abort)
        if len(self.waiting) > self._most:
            oldest = next(iter(self.waiting))
            oldest._stop_waiting()
            oldest.transport.abort()

    def _stop_waiting(self) -> None:
        if timer := self.waiting.pop(self, None):
            timer.cancel()


class Bounded:
    """An application that processes few requests at once; the health page is always answered."""

    def __init__(self, app: App, health: str) -> None:
        self._app, self._health = app, health
        self._slots, self._bodies, self._asking = asyncio.Semaphore(SLOTS), asyncio.Semaphore(BODIES), 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self._health:
            await self._app(scope, receive, send)
        elif len(scope["query_string"]) > QUERY:
            await _refuse(send, 414, f"expected  a query of up to {QUERY:,} bytes\nAsk for fewer words at once.\n")
        elif sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD:  # h11 limits only the parts
            await _refuse(send, 431, f"expected  headers of up to {HEAD:,} bytes\n")
        elif _announced(scope) > BODY:
            await _refuse(send, 413, TOO_LONG)
        elif self._asking >= QUEUE:
            await _refuse(send, 503, f"{QUEUE} requests are waiting already: try again in a second.\n")
        else:
            await self._work(scope, receive, send)

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._asking += 1
        try:
            posted = scope.get("method") == "POST"
            async with self._bodies if posted else nullcontext(), self._slots:
                given = await _received(receive, send) if posted else receive
                if given:
                    await self._app(scope, given, _in_pieces(send))
        finally:
            self._asking -= 1


def _announced(scope: Scope) -> int:
    """Return the length of the body as its head says; 0 if it does not."""
    said = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(said[0]) if said and said[0].isdigit() else 0


async def _received(receive: Receive, send: Send) -> Receive | None:
    """Return a `receive` that gives the whole body; refuse one that is too long, or takes too long, and return None."""
    try:
        body = await asyncio.wait_for(_whole(receive), PATIENCE)
    except TimeoutError:
        await _refuse(send, 408, f"expected  a whole body within {PATIENCE:.0f} s\n")
        return None
    if body is None:
        await _refuse(send, 413, TOO_LONG)
        return None
    return _given(body, receive)


async def _whole(receive: Receive) -> bytes | None:
    """Return the body, None if it is longer than BODY."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > BODY:
            return None
        if not message.get("more_body", False):
            break
    return body


def _given(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives this body, then what the client says later: that it has gone."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _in_pieces(send: Send) -> Send:
    """Send a response in pieces, as fast as the client reads them, so that little of it is buffered."""

    async def sent(message: Message) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or len(body) <= PIECE:
            await send(message)
            return
        for start in range(0, len(body), PIECE):
            more = message.get("more_body", False) or start + PIECE < len(body)
            await send({**message, "body": body[start : start + PIECE], "more_body": more})

    return sent


async def _refuse(send: Send, status: int, said: str) -> None:
    body = said.encode()
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def limits() -> dict[str, Any]:
    """Return the options for uvicorn that set these limits."""
    return {
        "http": Impatient,
        "ws": "none",
        "h11_max_incomplete_event_size": HEAD,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 5,
    }
