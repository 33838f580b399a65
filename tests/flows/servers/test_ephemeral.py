"""The temporary Prefect server: waited for while it works, replaced if it dies, replaced by a stand-in if it cannot
start.
"""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from mlflow import MlflowClient
from prefect import Flow, Task
from prefect.states import Running

from flows.access import strangers
from flows.servers import ephemeral
from flows.servers.ephemeral import Temporary
from tasks.engine import waiting
from tasks.errors import PipelineError
from tasks.orchestration.flow_runs import FlowRuns, server
from tests.support.servers import is_let_go

W2V = Path(sys.executable).parent / "w2v"
# small batches, so that the training lasts
SETTINGS = [
    "ingestion.text_documents=line", "vocabulary.min_count=1", "vocabulary.subsample=0", "training.vector_size=8",
    "training.damping=0.5", "training.batch_size=2", "training.epochs=3", "runtime.threads=1",
]  # fmt: skip
LINES = [
    "", "= ingestion", "= tokenization", "= vocabulary", "novelty", "✓ windows-held-out", "✓ windows ", "✓ training",
    "✓ evaluation", "✓ promotion",
]  # fmt: skip
SOME = ["✓ windows "]


class Retraining:
    """A `w2v retrain` with a temporary server, and its output so far."""

    def __init__(self, corpus: Path, workspace: Path, *changes: str) -> None:
        named = [f"ingestion.source={corpus}", f"runtime.workspace={workspace}", *SETTINGS, *changes]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        self.said = ""
        self.process = subprocess.Popen(
            [W2V, "retrain", *(word for each in named for word in ("--set", each))], env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            for line in lines:
                self.said += line

    def until(self, words: str) -> None:
        while words not in self.said:
            assert self.process.poll() is None, self.said
            time.sleep(0.02)

    @property
    def server(self) -> psutil.Process:
        """Prefect's, and no other child of the retraining's, such as git."""
        while True:
            for child in psutil.Process(self.process.pid).children():
                with suppress(psutil.Error):
                    if "flows.servers.ephemeral" in child.cmdline():
                        return child
            assert self.process.poll() is None, self.said
            time.sleep(0.02)

    def ended(self) -> int:
        code = self.process.wait()
        self._reader.join()
        return code


@pytest.fixture(scope="module")
def prepared(corpus: Path, workspace: Path) -> Path:
    """A workspace with the outputs of all stages before the training."""
    done = Retraining(corpus, workspace)
    assert done.ended() == 0, done.said
    assert "⚠" not in done.said  # the same server to the end, although other tests are at work
    return workspace


@pytest.mark.parametrize(
    "line", [each if each in SOME else pytest.param(each, marks=pytest.mark.long) for each in LINES]
)
def test_a_server_that_is_killed_is_replaced(line: str, prepared: Path, corpus: Path) -> None:
    """Killed at any instant, the retraining continues and ends well, and Prefect has records of its later tasks."""
    work = Retraining(corpus, prepared, f"seed={100 + LINES.index(line)}")
    server = work.server
    work.until(line)
    server.kill()

    assert work.ended() == 0, work.said
    assert "the temporary Prefect server ended: killed by signal 9; another takes its place" in work.said
    run = newest(prepared)
    assert run.info.status == "FINISHED"
    with sqlite3.connect(prepared / "prefect" / "prefect.db") as database:
        of = "SELECT state_name FROM flow_run WHERE id = ?"
        tasks = "SELECT name, state_name FROM task_run WHERE flow_run_id = ?"
        named = (run.data.tags["prefect.flow_run_id"],)
        assert database.execute(of, named).fetchall() == [("Completed",)]
        assert not [name for name, state in database.execute(tasks, named) if state not in ("Completed", "Cached")]
    database.close()


@pytest.mark.usefixtures("prefect_server")
def test_what_a_killed_server_had_only_heard_is_recorded() -> None:
    """A task that ended before the kill is at work for ever in the database: it ends with its flow run."""
    with server() as client:
        flow_run = client.create_flow_run(Flow(lambda: None, name="killed"), state=Running())
        task = Task(lambda: None, name="heard of")
        ids = [client.create_task_run(task, flow_run.id, key, state=Running()).id for key in "ab"]
        FlowRuns(client).complete_tasks(flow_run)

        assert [client.read_task_run(each).state_name for each in ids] == ["Completed", "Completed"]
        assert client.read_flow_run(flow_run.id).state_name == "Running"


@pytest.fixture
def busy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Twenty processes of this nice level that use all cores."""
    words = ["nice", "-n", str(request.param), sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(words) for _ in range(20)]
    yield
    for burner in burners:
        burner.kill()
        burner.wait()


@pytest.mark.long
@pytest.mark.parametrize("busy", [19, 0], indirect=True)
def test_a_busy_machine_is_not_a_broken_one(busy: None, prepared: Path, corpus: Path) -> None:
    """On a busy machine the retraining takes longer but ends well, with the same server to the end."""
    work = Retraining(corpus, prepared, f"seed={time.monotonic_ns() % 1_000_000}")

    assert work.ended() == 0, work.said
    assert "⚠" not in work.said
    assert "prefect.missing" not in newest(prepared).data.tags


def test_where_no_server_can_be_had_the_run_goes_on(corpus: Path, own: Path) -> None:
    """If Prefect's database is damaged, the cause is named, and the MLflow run is complete and records it."""
    (own / "prefect").mkdir()
    (own / "prefect" / "prefect.db").write_bytes(os.urandom(5_000))
    work = Retraining(corpus, own)

    assert work.ended() == 0, work.said
    assert "there is no temporary Prefect server: its database is damaged. Restore it from a backup" in work.said
    assert "Traceback" not in work.said
    run = newest(own)
    assert (run.info.status, run.data.tags["prefect.missing"]) == ("FINISHED", "its database is damaged")
    assert {"model.version", "promotion", "result.key"} <= set(run.data.tags)


@pytest.mark.long
def test_where_no_server_stays_alive_the_run_goes_on(prepared: Path, corpus: Path) -> None:
    """If every server is killed from the training on, the stand-in takes over and the run ends well."""
    work = Retraining(corpus, prepared, "seed=200")
    work.until("✓ windows ")
    while work.process.poll() is None and "there is no temporary Prefect server" not in work.said:
        with suppress(psutil.Error, AssertionError):  # the retraining may end between two looks
            work.server.kill()
        time.sleep(0.1)

    assert work.ended() == 0, work.said
    run = newest(prepared)
    assert (run.info.status, run.data.tags["prefect.missing"]) == ("FINISHED", "killed by signal 9")


def newest(workspace: Path) -> Any:
    return MlflowClient(f"sqlite:///{workspace}/mlflow.db").search_runs(["1"])[0]


@pytest.fixture
def instead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Temporary]:
    """Start another program in place of the server."""
    monkeypatch.setattr(ephemeral, "COMMAND", [sys.executable, "-c", request.param])
    monkeypatch.setattr(ephemeral, "HUNG", 1)
    monkeypatch.setattr(ephemeral, "ASKED", 1)
    started = Temporary()
    yield started
    started.end()


ENDS = "import sys; print('sqlite3.OperationalError: database or disk is full'); sys.exit(3)"
HANGS = "import time; time.sleep(600)"


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        (ENDS, "its database has no space left: the disk is full"),
        ("raise SystemExit(3)", "exit code 3"),
        (HANGS, "it used no processor time for 1 seconds"),
    ],
    indirect=["instead"],
)
def test_a_server_that_does_not_start_is_done_without(
    instead: Temporary, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that ends, or neither answers nor works, is reported, and a client gets answers anyway."""
    instead.wait()

    assert instead.missing == why
    assert f"there is no temporary Prefect server: {why}" in caplog.text
    name, _, password = instead.lock.credential.partition(":")
    with httpx.Client(auth=(name, password), base_url=f"{instead.address}/api") as client:
        made = client.post("/flow_runs/", json={"name": "of nobody"}).json()
        assert client.get(f"/flow_runs/{made['id']}").json()["name"] == "of nobody"
    assert httpx.get(f"{instead.address}/api/flow_runs/{made['id']}").status_code == 401


@pytest.mark.parametrize("instead", ["raise SystemExit(3)"], indirect=True)
def test_strangers_do_not_take_the_files_of_the_work(instead: Temporary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in, which is in the process of the work, closes the oldest connection of one stranger too many."""
    monkeypatch.setattr(strangers, "WAITING", 20)
    instead.wait()
    name, _, password = instead.lock.credential.partition(":")
    port = urlsplit(instead.address).port
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for _ in range(30)]
        answer = httpx.post(f"{instead.address}/api/flow_runs/", json={"name": "of nobody"}, auth=(name, password))

        assert answer.status_code == 201
        assert all(is_let_go(connection) for connection in idle[:10])


class Site(BaseHTTPRequestHandler):
    """Answer slowly, and always the same."""

    def __init__(self, seconds: float, status: int, *arguments: object) -> None:
        self.seconds, self.status = seconds, status
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        time.sleep(self.seconds)
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b'"3.8.8"')

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def own_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of the user that needs so many seconds to answer with this status."""
    with HTTPServer(("127.0.0.1", 0), partial(Site, *request.param)) as server:
        address = f"http://127.0.0.1:{server.server_port}/api"
        monkeypatch.setenv("PREFECT_API_URL", address)
        monkeypatch.delattr(subprocess, "Popen")  # no other is started beside it
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield address
        server.shutdown()


@pytest.mark.parametrize("own_server", [(0, 200), (0, 501)], indirect=True)
def test_a_server_of_ones_own_is_left_alone(own_server: str) -> None:
    """No other server is started beside the user's, whatever it answers."""
    ephemeral.ensure_server()

    assert os.environ["PREFECT_API_URL"] == own_server


@pytest.mark.parametrize("own_server", [(0.6, 200), pytest.param((12, 200), marks=pytest.mark.long)], indirect=True)
def test_a_server_of_ones_own_that_is_busy_is_waited_for(
    own_server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The user is told that the command waits for it."""
    monkeypatch.setattr(waiting, "SOON", 0.1)
    with caplog.at_level("INFO", "w2v"):
        ephemeral.ensure_server()

    assert f"waiting for Prefect's server at {own_server} (load " in caplog.text


@pytest.mark.parametrize("own_server", [(0, 401)], indirect=True)
def test_a_server_of_ones_own_that_refuses_us_is_no_absent_one(own_server: str) -> None:
    """The error names the variable with name and password."""
    with pytest.raises(PipelineError, match=r"refuses the name and password\n.*\n.*PREFECT_API_AUTH_STRING"):
        ephemeral.ensure_server()


def test_a_server_of_ones_own_that_is_away_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any work, the error names the server, without its password, and what to do."""
    monkeypatch.setenv("PREFECT_API_URL", "http://someone:secret@127.0.0.1:9/api")

    with pytest.raises(PipelineError, match=r"http://…@127.0.0.1:9/api does not answer\n.*refused\n.*unset") as error:
        ephemeral.ensure_server()
    assert "secret" not in str(error.value)


def test_a_temporary_server_answers_nobody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Callers without its password are refused; it is new for each command and known only to it and Prefect."""
    for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING"):
        monkeypatch.setenv(name, "")  # set back at the end
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setattr(ephemeral, "_serving", None)
    ends: list[Callable[[], None]] = []
    monkeypatch.setattr(ephemeral.atexit, "register", ends.append)
    ephemeral.ensure_server()
    flows, password = f"{os.environ['PREFECT_API_URL']}/flows/filter", os.environ["PREFECT_API_AUTH_STRING"]
    who = (password.partition(":")[0], password.partition(":")[2])
    try:
        asked = [httpx.post(flows, content="{}", auth=auth).status_code for auth in (None, ("w2v", "no"))]
        foreign = httpx.post(flows, content="{}", auth=who, headers={"Host": "elsewhere.example"})
        page = httpx.post(flows, content="{}", auth=who, headers={"Origin": "null"})
        known = httpx.post(flows, content="{}", auth=who)
        files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
        lines = []
        for each in psutil.Process().children():
            with suppress(psutil.Error):  # one of another test's that has ended
                lines.append("".join(each.cmdline()))
    finally:
        for end in ends:
            end()

    assert asked == [401, 401]
    assert (foreign.status_code, page.status_code, known.status_code) == (403, 403, 200)
    assert not [content for content in files if password[4:].encode() in content]
    assert not [line for line in lines if password[4:] in line]
