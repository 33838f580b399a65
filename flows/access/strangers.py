"""What Prefect's and MLflow's servers admit before the guard knows the caller; one that it has let in is uvicorn's.

    strangers      WAITING at once that have not said who they are; the one that waits longest makes room
    what they say  a head of HEAD bytes, or a WebSocket's handshake and first message, within PATIENCE seconds

Another account of the machine could otherwise hold so many connections that nobody else gets one.
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
BATCH = 64  # connections accepted at a time: far fewer than wait, so that each is read from before it may have to go
FILES = 4 * WAITING  # that a server may have open, where the system lets it


class Wary(Impatient):
    """Impatient while its caller is not let in. A WebSocket of Prefect's says who it is in its first message."""

    known = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = self.app_state | {CALLER: self}  # which each scope has
        super().connection_made(transport)

    def admit(self) -> None:
        self.known = True
        self.leave()
        if self._unread:
            self._unread.cancel()

    def leave(self) -> None:
        """Not be one of those that wait."""
        self._stop_waiting()

    def pause_writing(self) -> None:
        if self.known:
            H11Protocol.pause_writing(self)
        else:
            super().pause_writing()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        super().handle_websocket_upgrade(event)
        self._wait()  # it hears nothing more of its connection

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
    """What a caller says before it is let in is short."""

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
    """Let this process have as many connections open as it may have to."""
    most, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if allowed == resource.RLIM_INFINITY else min(FILES, allowed)
    if most != resource.RLIM_INFINITY and most < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, allowed))


def limits() -> dict[str, Any]:
    """What uvicorn is to be told where a guard says who is known."""
    return {"http": Wary, "ws": WarySocket, "backlog": BATCH, "h11_max_incomplete_event_size": HEAD}
