"""Limits of Prefect's and MLflow's servers on callers that the guard has not admitted yet.

    connections    WAITING at once of unknown callers; if one more comes, the oldest is closed
    requests       a head of HEAD bytes, or a WebSocket's handshake and first message, within PATIENCE seconds

Without them, another account of the machine could occupy all connections. Admitted callers have only uvicorn's limits.
"""

import asyncio
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from flows.access.admission import HEAD, Impatient
from flows.access.guard import CALLER

WAITING, PATIENCE = 1_000, 30.0
BATCH = 64  # connections accepted at a time; far fewer than WAITING, so that each is read before it may be closed
FILES = 4 * WAITING  # open files that a server may have, if the system allows it


class Wary(Impatient):
    """A connection with time limits until its caller is admitted; Prefect's WebSockets send a credential first."""

    known = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = self.app_state | {CALLER: self}  # becomes part of each scope
        super().connection_made(transport)

    def admit(self) -> None:
        """End the limits of this connection, since its caller is admitted."""
        self.known = True
        self.leave()
        if self._unread:
            self._unread.cancel()

    def leave(self) -> None:
        """Stop the time limit of a waiting connection."""
        self._stop_waiting()

    def pause_writing(self) -> None:
        if self.known:
            H11Protocol.pause_writing(self)
        else:
            super().pause_writing()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        super().handle_websocket_upgrade(event)
        self._wait()  # this object gets no more events of the connection

    @property
    def _most(self) -> int:
        return min(WAITING, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)

    @property
    def _patience(self) -> float:
        return PATIENCE

    def _wait(self) -> None:
        if not self.known:
            super()._wait()


class WarySocket(WebSocketsSansIOProtocol):
    """A WebSocket that is closed if it receives more than HEAD bytes before its caller is admitted."""

    _received = 0

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > HEAD and not self.app_state[CALLER].known:
            self.transport.abort()
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.app_state[CALLER].leave()
        super().connection_lost(exc)


def make_room() -> None:
    """Raise this process's limit of open files, so that it can hold enough connections."""
    most, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if allowed == resource.RLIM_INFINITY else min(FILES, allowed)
    if most != resource.RLIM_INFINITY and most < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, allowed))


def limits() -> dict[str, Any]:
    """Return the options for uvicorn that set these limits behind a guard."""
    return {"http": Wary, "ws": WarySocket, "backlog": BATCH, "h11_max_incomplete_event_size": HEAD}
