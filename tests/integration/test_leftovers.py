"""Commands leave nothing outside the workspace."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from mlflow import MlflowClient
from prefect.settings import PREFECT_API_URL

from tasks.engine import environment as engine_environment
from tasks.engine import scratch
from tasks.ingestion.own_files import CONTENTS
from tests.integration.test_cli import QUICK, W2V

SHARED_MEMORY = Path("/dev/shm")
MARK = "W2V_LEFTOVERS"  # in the environment of all that is started here


class Machine:
    """A home, a temporary folder and a current folder for the test, and other places where processes leave files."""

    def __init__(self, folder: Path) -> None:
        self._places = {name: folder / name for name in ("home", "tmp", "cwd")}
        for place in self._places.values():
            place.mkdir()
        self._mark, self._shared = uuid4().hex, set(SHARED_MEMORY.iterdir())

    def environment(self) -> dict[str, str]:
        theirs = {"PREFECT_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"}
        own = {"HOME": str(self._places["home"]), "TMPDIR": str(self._places["tmp"]), MARK: self._mark}
        return {name: value for name, value in os.environ.items() if name not in theirs} | own

    def w2v(self, *words: str | Path, **environment: str) -> str:
        done = subprocess.run(
            [W2V, *map(str, words)], cwd=self._places["cwd"], env=self.environment() | environment,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *words: str | Path, **environment: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [W2V, *map(str, words)], cwd=self._places["cwd"], env=self.environment() | environment,
            start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def left(self) -> list[str]:
        """Return what is left: files and folders, shared memory of no other process, and processes."""
        files = [str(path) for place in self._places.values() for path in place.rglob("*")]
        shared = set(SHARED_MEMORY.iterdir()) - self._shared
        mapped = "".join(_text(Path(f"/proc/{pid}/maps")) for pid in psutil.pids()) if shared else ""
        files += [str(path) for path in shared if str(path) not in mapped]
        mark = f"{MARK}={self._mark}"
        return files + [str(pid) for pid in psutil.pids() if mark in _text(Path(f"/proc/{pid}/environ"))]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def words(corpus: Path, workspace: Path, *more: str) -> list[str]:
    text = [f"ingestion.source={corpus}", "ingestion.text_documents=line", f"runtime.workspace={workspace}"]
    values = [*text, *QUICK, "training.epochs=2", "training.keep_epochs=2", *more]
    return [word for value in values for word in ("--set", value)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.long
@pytest.mark.usefixtures("prefect_server")
def test_nothing_is_left_outside_the_workspace(machine: Machine, own: Path, corpus: Path) -> None:
    """A retraining with a temporary server, its reproduction, and a question to its vectors."""
    machine.w2v("retrain", *words(corpus, own))
    (run,) = MlflowClient(f"sqlite:///{own}/mlflow.db").search_runs(["1"])
    machine.w2v("neighbors", "seaa", "--run", run.info.run_id, "--workspace", own)
    machine.w2v("reproduce", run.info.run_id, "--workspace", own, PREFECT_API_URL=PREFECT_API_URL.value())

    assert machine.left() == []
    assert not (own / "tmp").exists()


@pytest.mark.long
@pytest.mark.usefixtures("prefect_server")
def test_a_whole_scenario_leaves_nothing_outside_the_workspace(
    machine: Machine, own: Path, corpus: Path, tmp_path: Path
) -> None:
    """Two retrainings, with a temporary server and with a champion, and all commands on their runs; what they leave in
    the workspace has names that are known there as no text of the user's.
    """
    server = {"PREFECT_API_URL": PREFECT_API_URL.value()}
    machine.w2v("retrain", *words(corpus, own))
    machine.w2v("retrain", *words(corpus, own, "seed=2"), **server)
    client = MlflowClient(f"sqlite:///{own}/mlflow.db")
    runs = [run.info.run_id for run in client.search_runs(["1"])]
    champion = str(client.get_registered_model("vectors").aliases.get("champion"))
    place = ["--workspace", own]
    machine.w2v("promote", "1" if champion == "2" else "2", "--because", "a test", *place, **server)
    machine.w2v("compare", *runs, *place)
    machine.w2v("verify", runs[0], *place)
    machine.w2v("neighbors", "seaa", "--run", "champion", *place)
    machine.w2v("neighbors", "seaa", "--run", runs[0], "--epoch", "1", *place)
    machine.w2v("export", tmp_path / "vectors.txt", "--run", runs[1], *place)
    machine.w2v("sweep", *words(corpus, own), "--grid", "training.learning_rate=0.02,0.05", **server)
    machine.w2v("reproduce", runs[0], *place, **server)

    assert machine.left() == []
    assert not (own / "tmp").exists()
    assert {path.name for path in own.iterdir()} <= CONTENTS


@pytest.mark.usefixtures("prefect_server")
def test_what_a_killed_command_leaves_is_swept_by_the_next(machine: Machine, own: Path, corpus: Path) -> None:
    """Nothing is left outside the workspace, and within it only until the next command."""
    server = {"PREFECT_API_URL": PREFECT_API_URL.value()}
    process = machine.start("retrain", *words(corpus, own), **server)
    deadline = time.monotonic() + 600
    while not list(own.glob("unpublished/*/vectors")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    assert machine.left() == []
    assert len(list(own.glob("tmp/*"))) == 1

    machine.w2v("history", "--model", "vectors", "--workspace", own)
    assert not (own / "tmp").exists()


def test_a_workspace_that_cannot_be_written_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporary files are then in the system's folder, and are deleted too."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch.tempfile, "tempdir", None)
    (tmp_path / "workspace").write_text("no folder")
    with scratch.used(tmp_path / "workspace"):
        place = Path(os.environ["TMPDIR"])

        assert place.is_relative_to(tmp_path)
        assert place.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_what_was_in_use_at_the_start_is_swept_at_the_end(tmp_path: Path) -> None:
    """The Prefect server of a killed command may live on for a moment, in that command's folder."""
    dead = tmp_path / scratch.FOLDER / f"{engine_environment.owner().host}-{2**22 + 1}-1"
    dead.mkdir(parents=True)
    about = os.environ | {"TMPDIR": str(dead)}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=about) as server:
        with scratch.used(tmp_path):
            assert dead.is_dir()
            server.communicate(b"\n")

        assert not (tmp_path / scratch.FOLDER).exists()
