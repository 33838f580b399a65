"""What tests share: a quiet home, a real Prefect server once a session, and a small corpus.

Started in the background or under `nohup`, tests hear Ctrl-C and closed terminals like any others: such a command
ignores SIGINT or SIGHUP, and each process that it starts inherits that, but not a handler.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from configs.loading import check
from configs.schema import Config
from tasks.engine.databases import empty
from tasks.tracking.client import reached

signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # a handler of our own, which children do not inherit
    signal.signal(signal.SIGHUP, lambda number, frame: None)
LEFT_BEHIND = "TMPDIR", "MPLCONFIGDIR", "PYTHONSAFEPATH"  # variables that commands set until their process ends
TEMPORARY = {name: os.environ.get(name) for name in LEFT_BEHIND}  # of the process when it started
UMASK = os.umask(0o022)
os.umask(UMASK)
TOPICS = [[f"{topic}{letter}" for letter in "abcdefgh"] for topic in ("sea", "sky", "sun")]


@pytest.fixture(scope="session", autouse=True)
def quiet_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Send no telemetry, and write nothing outside the session's folder."""
    settings = {
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("W2V_WORKSPACE", raising=False)
        yield


@pytest.fixture(autouse=True)
def as_at_the_start() -> None:
    """Undo what commands called in this process leave until it ends: a temporary folder, a private umask, …"""
    os.umask(UMASK)
    tempfile.tempdir = None
    for name, value in TEMPORARY.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a path that the first of the workers makes for all of them."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path, made = folder / name, folder / f"made-{name}"
    with FileLock(folder / f"making-{name}"):
        if not made.exists():
            make(path)
            made.touch()
    return path


@pytest.fixture(scope="session")
def prefect_database(quiet_home: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty Prefect database with all its tables, whose migrations take seconds."""

    def make(path: Path) -> None:
        assert empty.create(path, "prefect")

    return once(tmp_path_factory, "prefect.db", make)


@pytest.fixture(scope="session")
def prefect_server(prefect_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server of this process, and its database; temporary servers of commands find theirs in Prefect's home."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing import utilities

    folder, home = tmp_path_factory.mktemp("server"), Path(os.environ["PREFECT_HOME"])
    shutil.copy(prefect_database, folder / "prefect-test.db")  # the name that the harness gives it
    if not (home / "prefect.db").exists():
        shutil.copy(prefect_database, home / "prefect.db")
    heartless = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})  # its thread ends up to 1 s after its run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utilities, "mkdtemp", lambda: str(folder))
        with utilities.prefect_test_harness(server_startup_timeout=600), heartless:
            yield


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety lines of forty words; each line has the words of one of three topics."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("corpus") / "topics.txt"
    path.write_text("\n".join(" ".join(rng.choice(TOPICS[line % 3], 40)) for line in range(90)) + "\n")
    return path


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, made once because that takes seconds."""

    def make(path: Path) -> None:
        with reached(f"sqlite:///{path}"):
            pass

    return once(tmp_path_factory, "mlflow.db", make)


@pytest.fixture(scope="module")
def workspace(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace shared by the tests of a file."""
    path = tmp_path_factory.mktemp("workspace")
    shutil.copy(database, path / "mlflow.db")
    return path


@pytest.fixture
def own(database: Path, tmp_path: Path) -> Path:
    """A workspace for one test."""
    (tmp_path / "ws").mkdir()
    shutil.copy(database, tmp_path / "ws" / "mlflow.db")
    return tmp_path / "ws"


@pytest.fixture
def config(corpus: Path, workspace: Path) -> Config:
    return check(
        {
            "name": "topics",
            "ingestion": {"source": str(corpus), "text_documents": "line"},
            "vocabulary": {"min_count": 1, "subsample": 0.0},
            "training": {"vector_size": 8, "epochs": 3, "batch_size": 32, "damping": 0.5},
            "evaluation": {"probes": ["seaa", "skya"]},
            "tracking": {"registered_model": "vectors"},
            "runtime": {"workspace": str(workspace), "threads": 2},
        },
        "test",
    )
