"""Refusals of MLflow, its database and its disk are reported by cause, with one message and one next step."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tasks import refusals
from tasks.engine import waiting
from tasks.errors import TrackingError, Unreachable
from tasks.tracking.client import reached
from tests.support.disks import small_disk


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "runs.db"
    with reached(f"sqlite:///{path}"):
        return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 3 MB."""
    with small_disk(tmp_path / "disk", 3) as place:
        yield place


def tagged(database: Path) -> None:
    with reached(f"sqlite:///{database}") as client:
        client.set_experiment_tag("0", "tag", "value")


def damaged(database: Path) -> None:
    database.write_bytes(os.urandom(9_000))


def torn(database: Path) -> None:
    """Damage a database behind its first page."""
    whole = database.read_bytes()
    database.write_bytes(whole[:4_096] + os.urandom(len(whole) - 4_096))


def upgraded(database: Path) -> None:
    with closing(sqlite3.connect(database)) as writing, writing:
        writing.execute("UPDATE alembic_version SET version_num = 'of the future'")


@pytest.mark.parametrize(
    ("spoil", "said", "way"),
    [
        (damaged, "is damaged", r"docs/how-to/backup-upgrade\.md"),
        (torn, "is damaged", r"docs/how-to/backup-upgrade\.md"),
        (upgraded, "is of another version", "Upgrade what is older"),
    ],
)
def test_a_database_tells_what_is_wrong(
    spoil: Callable[[Path], None], said: str, way: str, made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error names the database, the cause and the next step, soon and without a traceback."""
    database = tmp_path / "runs.db"
    shutil.copy(made, database)
    spoil(database)

    with pytest.raises(TrackingError, match=rf"{database} {said}\n.*\n.*{way}") as error:
        tagged(database)
    assert "Start it" not in str(error.value)
    assert "Traceback" not in capfd.readouterr().err


HALF = """
import os, signal, sqlite3, sys
writing = sqlite3.connect(sys.argv[1], isolation_level=None)
writing.execute("PRAGMA cache_size = 1")
writing.execute("BEGIN")
writing.execute("CREATE TABLE half (text)")
writing.executemany("INSERT INTO half VALUES (?)", [("x" * 4000,)] * 500)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_has_half_written_is_undone(made: Path, tmp_path: Path) -> None:
    """SQLite's journal is rolled back, and the next command can write to the database."""
    database = tmp_path / "mlflow.db"
    shutil.copy(made, database)
    subprocess.run([sys.executable, "-c", HALF, str(database)], check=False)
    assert (tmp_path / "mlflow.db-journal").stat().st_size > 512
    tagged(database)

    with closing(sqlite3.connect(database)) as reading:
        assert not reading.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall()


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("wb") as filler:
        while True:
            filler.write(bytes(4_096))
            filler.flush()


def test_a_full_disk_is_told(made: Path, disk: Path) -> None:
    """The error names a command that frees space."""
    database = disk / "runs.db"
    shutil.copy(made, database)
    fill(disk)

    with pytest.raises(TrackingError, match=r"the disk is full\n.*\n.*w2v gc"):
        tagged(database)


def test_a_read_only_disk_is_told(made: Path, disk: Path) -> None:
    """Reading works on a read-only disk; writing gives a clear error."""
    database = disk / "runs.db"
    shutil.copy(made, database)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    with reached(f"sqlite:///{database}") as client:
        assert client.get_experiment("0")
    with pytest.raises(TrackingError, match=r"cannot be written\n.*\n.*writable"):
        tagged(database)


@pytest.mark.parametrize("seconds", [3, pytest.param(40, marks=pytest.mark.long)])  # MLflow itself waits for 20
def test_a_lock_is_waited_for(seconds: float, made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Waiting for a lock is logged once, and ends with the other process."""
    database = tmp_path / "runs.db"
    shutil.copy(made, database)
    other = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    threading.Timer(seconds, other.close).start()
    began = time.monotonic()
    tagged(database)

    assert time.monotonic() - began > seconds - 0.5
    assert caplog.text.count(f"waiting for {database}, which another process has locked") == 1


class Site(BaseHTTPRequestHandler):
    """A server without a good answer, which takes so many seconds."""

    def __init__(self, status: int, *arguments: object, seconds: float = 0) -> None:
        self.status, self.seconds = status, seconds
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        time.sleep(self.seconds)
        self.send_response(200 if self.path == "/health" else self.status)
        self.end_headers()
        self.wfile.write(b"no")

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None: ...


@pytest.mark.parametrize(
    ("scheme", "status", "kind", "said"),
    [
        ("http", 401, TrackingError, r"refuses the name and password\n.*\n.*MLFLOW_TRACKING_PASSWORD"),
        ("http", 403, TrackingError, r"refuses the name and password\n.*\n.*MLFLOW_TRACKING_PASSWORD"),
        ("http", 503, Unreachable, r"does not answer\n.*\nStart it"),
        ("https", 200, TrackingError, r"has no matching TLS\n.*\n.*http://"),
    ],
)
def test_a_server_tells_what_is_wrong(
    scheme: str, status: int, kind: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused client is told which variables to set, not to start the server."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with HTTPServer(("127.0.0.1", 0), partial(Site, status)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        with pytest.raises(kind, match=said), reached(f"{scheme}://127.0.0.1:{server.server_port}") as client:
            client.search_experiments(max_results=1)
        server.shutdown()


@pytest.mark.parametrize("seconds", [1, pytest.param(12, marks=pytest.mark.long)])
def test_a_busy_server_is_not_an_absent_one(
    seconds: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The user is told that the command waits for it, and then what it has answered."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(waiting, "SOON", 0.5)
    with HTTPServer(("127.0.0.1", 0), partial(Site, 401, seconds=seconds)) as server, caplog.at_level("INFO", "w2v"):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(TrackingError, match="refuses the name and password"), reached(address) as client:
            client.search_experiments(max_results=1)
        server.shutdown()

    assert f"waiting for MLflow at {address} (load " in caplog.text


def test_a_certificate_that_is_not_trusted_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrusted certificate is reported; once MLflow's client trusts it, the server is reached."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tls = SSLContext(PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path))
    with HTTPServer(("127.0.0.1", 0), partial(Site, 401)) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        address = f"https://127.0.0.1:{server.server_port}"
        with pytest.raises(TrackingError, match=r"a certificate that is not trusted"), reached(address) as client:
            client.search_experiments(max_results=1)
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "tls.pem"))
        with pytest.raises(TrackingError, match="refuses the name and password"), reached(address) as client:
            client.search_experiments(max_results=1)
        server.shutdown()


def self_signed(folder: Path) -> Path:
    """Return a file with a key and a certificate of 127.0.0.1."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    here = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    own = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    signed = made.add_extension(here, critical=False).add_extension(own, critical=False).sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tls.pem").write_bytes(private + signed.public_bytes(Encoding.PEM))
    return folder / "tls.pem"


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("(sqlite3.OperationalError) disk I/O error", refusals.FAULTY),
        ("certificate verify failed: [SSL: CERTIFICATE_VERIFY_FAILED]", refusals.CERTIFICATE),
        ("Invalid experiment name: ''. Expects a string.", refusals.NAME),
        ("OSError: [Errno 122] Disk quota exceeded", refusals.FULL),
        ("all is well", None),
    ],
)
def test_words_are_known(words: str, refusal: object) -> None:
    """Messages of causes that cannot be produced here are recognised."""
    assert refusals.in_words(words) == refusal
