"""Limits of a served table: memory stays bounded under the worst requests, and slow clients are disconnected."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from flows.access import admission
from flows.serving import limits, schema
from tests.support.servers import is_let_go

ROOM = 64  # MB
# a process of its own, whose memory is that of the server
SERVER = """
import asyncio, socket, sys
import numpy as np, uvicorn
from threadpoolctl import threadpool_limits
from flows.access import admission
from flows.serving import limits, schema
from tests.support.servers import is_let_go
from tasks.evaluation.judging import Space
from tasks.vectors.tables import WordVectors
admission.PATIENCE, table = float(sys.argv[2]), np.load(sys.argv[1], mmap_mode="r")
words = [f"word{row}" for row in range(len(table))]
learnt = WordVectors(words, np.zeros(len(words), np.int64), table)
space = Space(learnt, schema.SCORES // schema.threads(len(words)))
class Source:
    now, about = limits.Served("run", "vectors/1", learnt, space), "a table"
door = socket.create_server(("127.0.0.1", 0))
print(door.getsockname()[1], flush=True)
inside = admission.Bounded(schema.app(Source()), schema.HEALTH)
with threadpool_limits(1, "blas"):
    uvicorn.Server(uvicorn.Config(inside, log_level="critical", **admission.limits())).run(sockets=[door])
"""


class Server:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        self.port, self.process = int(process.stdout.readline()), psutil.Process(process.pid)
        self.address = f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def answers(self) -> bool:
        return httpx.get(f"{self.address}/neighbors?word=word7", trust_env=False, timeout=60).status_code == 200

    def memory(self) -> float:
        """MB, the mapped table included: once asked, all of it is there."""
        return self.process.memory_info().rss / 1e6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@contextmanager
def serving(folder: Path, words: int, dimensions: int, patience: float = 60) -> Iterator[Server]:
    table = folder / f"{words}.npy"
    if not table.exists():
        np.save(table, np.random.default_rng(0).standard_normal((words, dimensions), np.float32))
    command = [sys.executable, "-c", SERVER, str(table), str(patience)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


def ask_for_all(server: Server, dimensions: int, clients: int) -> tuple[float, set[int]]:
    """Return the growth of memory in MB, at most, while several clients send the largest requests; and the statuses."""
    few, many = limits.ANSWERS // limits.MOST, limits.MOST
    words = [f"word=word{row}" for row in range(many)]
    ask = [
        f"/neighbors?k={few}&{'&'.join(words)}", f"/neighbors?k={many}&{'&'.join(words[:few])}",
        f"/vectors?{'&'.join(words[: limits.NUMBERS // dimensions])}",
        f"/analogy?a=word1&b=word2&c=word3&k={many}",
    ]  # fmt: skip
    bodies = {
        "/neighbors": {"queries": [[0.5] * dimensions] * min(many, limits.NUMBERS // dimensions), "k": few},
        "/embed": {"texts": ["word1 word2 " * 80] * (limits.NUMBERS // dimensions)},
    }
    assert server.answers()
    before, most = server.memory(), 0.0
    with (
        ThreadPoolExecutor(clients) as pool,
        httpx.Client(base_url=server.address, trust_env=False, timeout=600) as client,
    ):
        asked = [pool.submit(client.get, path) for path in ask for _ in range(clients)]
        asked += [pool.submit(client.post, path, json=body) for path, body in bodies.items() for _ in range(clients)]
        while not all(each.done() for each in asked):
            most = max(most, server.memory() - before)
            time.sleep(0.01)
    return most, {each.result().status_code for each in asked}


@pytest.mark.parametrize(
    ("words", "dimensions", "clients"),
    [(20_000, 50, 6), pytest.param(100_000, 300, 12, marks=pytest.mark.long)],
)
def test_memory_is_bounded_under_the_worst_requests(folder: Path, words: int, dimensions: int, clients: int) -> None:
    """Several clients at once request as many words, neighbours and numbers as are allowed."""
    with serving(folder, words, dimensions) as server:
        more, said = ask_for_all(server, dimensions, clients)
    print(f"{more:.0f} MB more")

    assert said == {200}
    assert more < ROOM


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server with a patience of two seconds."""
    with serving(folder, 2_000, 50, 2) as server:
        yield server


def test_a_head_that_comes_byte_by_byte_is_not_waited_for(server: Server) -> None:
    """A connection that sends its head or body slowly, or nothing, is closed."""
    body = b"POST /model HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
    for begun in (b"GET /model HTTP/1.1\r\nHost: h\r\nX: ", b"", body):
        with closing(server.connect()) as slow:
            slow.sendall(begun)
            began = time.monotonic()
            with suppress(ConnectionError):
                while time.monotonic() < began + 60:
                    if begun:
                        slow.sendall(b"a")
                    time.sleep(0.1)
                    if gone(slow):
                        break

            assert time.monotonic() < began + 60


def gone(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1 << 16) == b""
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(60)


def test_who_reads_nothing_is_let_go(server: Server) -> None:
    """A client that does not read a large response is disconnected; others are answered meanwhile."""
    words = "&".join(f"word=word{row}" for row in range(limits.MOST))
    with ExitStack() as stack:
        deaf = []
        for _ in range(admission.SLOTS):
            connection = stack.enter_context(closing(socket.socket()))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
            connection.connect(("127.0.0.1", server.port))
            for _ in range(8):  # one after the other: together, more than the system itself takes
                connection.sendall(f"GET /vectors?{words} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            deaf.append(connection)
        answered, deadline = server.answers(), time.monotonic() + 120
        ports = {connection.getsockname()[1] for connection in deaf}
        while held := ports & {each.raddr.port for each in server.process.net_connections("tcp") if each.raddr}:
            assert time.monotonic() < deadline, held
            time.sleep(0.2)

    assert answered


def test_idle_connections_make_room(server: Server) -> None:
    """Of five hundred idle connections only the newest stay, new callers are answered, and memory stays constant."""
    assert server.answers()
    before = server.memory()
    with ExitStack() as stack:
        idle = [stack.enter_context(closing(server.connect())) for _ in range(500)]
        answered = server.answers()
        held = server.process.num_fds()
        more = server.memory() - before
        for connection in idle:
            connection.settimeout(60)
        assert all(is_let_go(connection) for connection in idle)

    assert answered
    assert held < admission.IDLE + 60
    assert more < ROOM / 5


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("a" * (admission.QUERY + 1), 414, "a query of up to 32,768 bytes"),
        ("", 431, "headers of up to 65,536 bytes"),
        ("&".join(["word=word1"] * 1000), 422, "word\nexpected  words × dimensions up to 50,000\nfound     1,000 × 60"),
    ],
)
def test_too_large_a_request_is_refused(folder: Path, query: str, status: int, said: str) -> None:
    """A request that is too large is refused before any computation, with the limit."""
    with serving(folder, 200, 60) as small:
        headers = {} if query else {"x": "a" * admission.HEAD}
        answer = httpx.get(f"{small.address}/vectors?{query}", headers=headers, trust_env=False, timeout=60)

    assert answer.status_code == status
    assert said in (answer.json()["detail"] if status == 422 else answer.text)


def test_more_requests_than_can_wait_are_told_so() -> None:
    """Further requests get 503 and a time to retry; the health check and the waiting requests are answered."""
    at_work: list[str] = []

    async def ask(path: str, bounded: admission.Bounded) -> list[Any]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {}

        async def send(message: Any) -> None:
            sent.append(message)

        await bounded({"type": "http", "path": path, "query_string": b"", "headers": []}, receive, send)
        return sent

    async def asked() -> tuple[list[Any], list[Any], int, list[list[Any]]]:
        go_on = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            at_work.append(scope["path"])
            if scope["path"] != schema.HEALTH:
                await go_on.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        bounded = admission.Bounded(app, schema.HEALTH)
        waiting = [asyncio.create_task(ask("/model", bounded)) for _ in range(admission.QUEUE)]
        await asyncio.sleep(0)
        refusing = asyncio.create_task(ask("/model", bounded))
        await asyncio.sleep(0)
        assert refusing.done()  # it does not wait
        refused, alive, many = refusing.result(), await ask(schema.HEALTH, bounded), len(at_work) - 1
        go_on.set()
        done = await asyncio.gather(*waiting)
        return refused, alive, many, [*done, await ask("/model", bounded)]

    refused, alive, many, done = asyncio.run(asked())
    assert refused[0]["status"] == 503
    assert (b"retry-after", b"1") in refused[0]["headers"]
    assert refused[1]["body"] == f"{admission.QUEUE} requests are waiting already: try again in a second.\n".encode()
    assert alive[0]["status"] == 200
    assert many == admission.SLOTS
    assert {each[0]["status"] for each in done} == {200}


def test_a_long_answer_goes_out_in_pieces() -> None:
    """A long response is sent in pieces as they are read; together they are the response."""
    sent: list[Any] = []
    body = bytes(range(256)) * 1_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    bounded = admission.Bounded(app, schema.HEALTH)
    asyncio.run(bounded({"type": "http", "path": "/", "query_string": b"", "headers": []}, receive, send))

    assert b"".join(each["body"] for each in sent) == body
    assert max(len(each["body"]) for each in sent) == admission.PIECE
    assert [each["more_body"] for each in sent] == [True] * (len(sent) - 1) + [False]
