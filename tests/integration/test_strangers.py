"""A guarded server with thousands of connections of unknown callers: its own callers are served."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import httpx
import psutil
import pytest
from websockets.sync.client import ClientConnection, connect

from flows.access import strangers
from flows.access.admission import HEAD
from tests.support.servers import idle, is_let_go

PASSWORD = "horse-battery"
LONG = 1 << 23  # bytes, more than a connection holds
# a process of its own, with as many files as many systems allow; no keep-alive ends in a test, and no pings are sent
SERVER = f"""
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 2048))
import uvicorn
from flows.access import strangers
from flows.access.guard import Guard
from flows.access.headers import authorities
from flows.access.lock import Lock
async def app(scope, receive, send):
    if scope["type"] == "http":
        body = b"x" * ({LONG} if scope["path"] == "/long" else 1)
        await send({{"type": "http.response.start", "status": 200,
                    "headers": [(b"content-length", str(len(body)).encode())]}})
        await send({{"type": "http.response.body", "body": body}})
    elif scope["type"] == "websocket":
        await receive()
        await send({{"type": "websocket.accept", "subprotocol": "prefect"}})
        while (message := await receive())["type"] == "websocket.receive":
            await send({{"type": "websocket.send", "text": message["text"]}})
strangers.PATIENCE = float(sys.argv[1])
strangers.make_room()
door = socket.create_server(("127.0.0.1", 0), backlog=2048)
port = door.getsockname()[1]
print(port, flush=True)
guard = Guard(app, port, authorities(["127.0.0.1"], port), Lock("w2v:{PASSWORD}", "key"), health="/api/health",
              sockets=True)
config = uvicorn.Config(guard, log_level="critical", lifespan="off", timeout_keep_alive=3600, ws_ping_interval=None,
                        **strangers.limits())
uvicorn.Server(config).run(sockets=[door])
"""


class Server:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        self.port, self.process = int(process.stdout.readline()), psutil.Process(process.pid)
        self.address = f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def client(self, **about: Any) -> httpx.Client:
        """A client with the password, and one connection."""
        auth, once = ("w2v", PASSWORD), httpx.Limits(max_connections=1, keepalive_expiry=None)
        return httpx.Client(base_url=self.address, auth=auth, trust_env=False, timeout=120, limits=once, **about)

    def socket(self) -> ClientConnection:
        """Open a WebSocket as Prefect's clients do, with the credential in the first message."""
        address = f"ws://127.0.0.1:{self.port}/api/events/in"
        return connect(address, subprotocols=["prefect"], open_timeout=120, proxy=None)  # type: ignore[list-item]


@contextmanager
def serving(patience: float) -> Iterator[Server]:
    with subprocess.Popen([sys.executable, "-c", SERVER, str(patience)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


CREDENTIAL = json.dumps({"type": "auth", "token": f"w2v:{PASSWORD}"})


@pytest.mark.parametrize("number", [1_500, pytest.param(15_000, marks=pytest.mark.long)])
def test_idle_strangers_starve_nobody(number: int) -> None:
    """New callers with the password are answered, and connections with it stay open, WebSockets too."""
    with serving(600) as server, server.client() as before, server.socket() as events:
        assert before.get("/api/flows").status_code == 200
        events.send(CREDENTIAL)
        assert events.recv(60) == CREDENTIAL
        with idle(server.port, number):
            for _ in range(20):
                with server.client() as new:
                    assert new.get("/api/flows").status_code == 200
            with server.socket() as more:
                more.send(CREDENTIAL)
                assert more.recv(60) == CREDENTIAL
            held = server.process.num_fds()
            events.send("still there")
            said = events.recv(60)
            again = before.get("/api/flows").status_code

    assert (said, again) == ("still there", 200)
    assert held < strangers.WAITING + 200


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that waits for unknown callers for two seconds."""
    with serving(2) as server:
        yield server


HANDSHAKE = (
    "GET /api/events/in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: prefect\r\n\r\n"
)
FRAME = b"\x81\xff" + (1 << 20).to_bytes(8, "big") + bytes(4)  # of a message of a megabyte


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("", b""),
        ("GET / HTTP/1.1\r\nHost: ", b""),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", b"HTTP/1.1 401"),
        ("GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", b"HTTP/1.1 200"),
        (HANDSHAKE, b"HTTP/1.1 101"),
    ],
    ids=["nothing", "half a head", "refused", "health", "websocket"],
)
def test_a_stranger_is_not_kept(server: Server, said: str, answered: bytes) -> None:
    """The connection of an unknown caller ends whatever it sends, also if it keeps sending."""
    with closing(server.connect()) as connection:
        connection.sendall(said.format(port=server.port).encode())
        if answered:
            assert connection.recv(1 << 16).startswith(answered)

        assert is_let_go(connection)


def test_a_long_first_message_is_not_taken(server: Server) -> None:
    """The connection is closed as soon as the message is longer than a credential needs."""
    with serving(600) as patient, closing(patient.connect()) as connection:
        connection.sendall(HANDSHAKE.format(port=patient.port).encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 101")
        with suppress(ConnectionError):
            connection.sendall(FRAME + bytes(2 * HEAD))

        assert is_let_go(connection)


def test_who_is_known_may_take_its_time(server: Server) -> None:
    """A known caller may pause between requests and in a WebSocket, and may read slowly."""
    with server.client() as client, server.socket() as events, closing(server.connect()) as slow:
        client.get("/api/flows")
        used = {each.laddr.port for each in psutil.Process().net_connections("tcp") if each.raddr}
        events.send(CREDENTIAL)
        events.recv(60)
        slow.sendall(
            f"GET /long HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {PASSWORD}\r\n\r\n".encode()
        )
        time.sleep(4)  # twice as long as a stranger has
        client.get("/api/flows")
        events.send("later")
        later = events.recv(60)
        read = 0
        while read < LONG and (piece := slow.recv(1 << 16)):
            read += len(piece)
        left = {each.laddr.port for each in psutil.Process().net_connections("tcp") if each.raddr}

    assert later == "later"
    assert read >= LONG
    assert used == left
