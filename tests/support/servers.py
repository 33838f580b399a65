"""Real servers that a test starts and stops, and starts again at the same address."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

BIN = Path(sys.executable).parent
START, STOP = 600, 120  # seconds at most, on a busy machine
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class Server:
    """One process on its own port."""

    def __init__(self, words: Sequence[str], health: str, log: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._words = [*words, "--host", "127.0.0.1", "--port", str(self.port)]
        self._health, self._log = health, log
        self._environment = {**os.environ, **QUIET, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._words, stdout=log, stderr=log, env=self._environment)

    def ready(self) -> None:
        """Return when it answers."""
        assert self._process
        deadline = time.monotonic() + START
        while not answers(self.address + self._health):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server as a restart of its host does."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP)
            finally:
                self._process.kill()


def mlflow(folder: Path, database: str, *options: str, **environment: str) -> Server:
    words = [BIN / "mlflow", "server", "--workers", "1", "--backend-store-uri", database, *options]
    return Server([*map(str, words)], "/health", folder / "mlflow.log", environment)


def prefect(folder: Path, **environment: str) -> Server:
    home = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_UI_ENABLED": "false"}
    words = [BIN / "prefect", "server", "start"]
    return Server([*map(str, words)], "/api/health", folder / "prefect.log", home | environment)


@contextmanager
def running(*servers: "Server | Postgres") -> Iterator[None]:
    """Start all the servers at once."""
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.ready()
        yield
    finally:
        for server in servers:
            server.stop()


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=60, trust_env=False, follow_redirects=True).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def idle(port: int, number: int) -> Iterator[None]:
    """Hold so many idle connections; each millisecond the oldest is replaced."""
    most, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = psutil.Process().num_fds() + number + 500
    if allowed < needed:
        pytest.skip(f"this process may have {allowed:,} files open, and needs {needed:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, needed), allowed))
    over = threading.Event()

    def knock() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), timeout=60)

    with ExitStack() as stack:
        held = [stack.enter_context(closing(knock())) for _ in range(number)]

        def again() -> None:
            while not over.wait(0.001):
                with suppress(OSError):
                    held[0].close()
                    held.append(stack.enter_context(closing(knock())))
                    held.pop(0)

        attacker = threading.Thread(target=again)
        attacker.start()
        try:
            yield
        finally:
            over.set()
            attacker.join()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, allowed))


def is_let_go(connection: socket.socket) -> bool:
    """Return True if the server closes the connection before the test's own timeout."""
    try:
        while connection.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def until(found: Callable[[], Any], seconds: float = 600) -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return value


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def in_thread(guarded: Callable[[int], Any], **settings: Any) -> Iterator[int]:
    """Serve an ASGI application, which is made for its port, until the end; give the port."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as entrance:
        port: int = entrance.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(guarded(port), log_level="error", **settings))
        thread = threading.Thread(target=server.run, args=[[entrance]])
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()


BUCKET, SECRET = "vectors", "s3-secret-in-no-log"


@contextmanager
def s3(folder: Path) -> Iterator[dict[str, str]]:
    """Start an S3 server with a bucket; give the environment of an account that may write to it."""
    import boto3

    server = Server([str(BIN / "moto_server")], "/moto-api/", folder / "s3.log", {})
    with running(server):
        keys = {"aws_access_key_id": "w2v", "aws_secret_access_key": SECRET}
        client = boto3.client("s3", endpoint_url=server.address, region_name="us-east-1", **keys)
        client.create_bucket(Bucket=BUCKET)
        client.close()
        names = {name.upper(): value for name, value in keys.items()}
        yield {**names, "AWS_DEFAULT_REGION": "us-east-1", "MLFLOW_S3_ENDPOINT_URL": server.address}


class Postgres:
    """A PostgreSQL server for the role `w2v`, which owns its databases and is no superuser."""

    PASSWORD = "in-no-log-of-ours"  # as long as MLflow wants it of an administrator
    DATABASES = ("prefect", "mlflow", "prefect_of_service", "mlflow_of_service")

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder, self._log, self.port = folder, log, free_port()
        # PostgreSQL refuses to run as root, and its files are to be its own
        self._as = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def programs() -> Path | None:
        """Return the folder of the programs: Debian's, of the newest version, or that on the PATH."""
        found = shutil.which("initdb")
        versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
        return versions[-1].parent if versions else Path(found).parent if found else None

    def start(self) -> None:
        programs, data = self.programs(), self._folder / "data"
        assert programs
        if self._as:
            shutil.chown(self._folder, **self._as)
        with self._log.open("ab") as log:
            about = {"stdout": log, "stderr": log, "cwd": self._folder, **self._as}
            subprocess.run([programs / "initdb", "-D", data, "-U", "postgres", "--no-sync"], check=True, **about)
            words = ["-p", str(self.port), "-h", "127.0.0.1", "-k", self._folder, "-c", "fsync=off"]
            self._process = subprocess.Popen([programs / "postgres", "-D", data, *words], **about)

    def ready(self) -> None:
        """Return when it answers and the databases are there."""
        import psycopg2

        deadline = time.monotonic() + START
        while True:
            try:
                connection = psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres")
                break
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE w2v LOGIN PASSWORD '{self.PASSWORD}'")
            for name in self.DATABASES:
                cursor.execute(f"CREATE DATABASE {name} OWNER w2v")
        connection.close()

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)  # "fast": it does not wait for its clients
            self._process.wait(STOP)

    def address(self, database: str, driver: str) -> str:
        return f"postgresql+{driver}://w2v:{self.PASSWORD}@127.0.0.1:{self.port}/{database}"


def files_below(folder: Path) -> dict[Path, bytes]:
    """Return the content of each file; files that are deleted meanwhile are left out."""
    found: dict[Path, bytes] = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            with suppress(OSError):
                found[path] = path.read_bytes()
    return found
