"""The application installed from its wheel, outside the checkout, in a folder with files named like our packages."""

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from flows.serving.schema import HEALTH
from tests.support import wheels
from tests.support.servers import free_port

# of the user's own, with the names of our packages, of a common tool, and of what lies beside them
THEIRS = [
    "tasks.py", "w2v_core.py", "flows/__init__.py", "flows/retrain.py", "configs/__init__.py", "tests/__init__.py",
]  # fmt: skip
TRAP = """
import pathlib
pathlib.Path({mark!r}).open("a").write(__file__ + "\\n")
raise ImportError("the user's own")
"""
EXPERIMENT = """
name = "topics"
ingestion = {source = "topics.txt", text_documents = "line"}
vocabulary = {min_count = 1, subsample = 0}
training = {vector_size = 8, epochs = 2, batch_size = 32, damping = 0.5}
runtime = {workspace = "ws"}
"""
OURS = ("PYTHON", "PREFECT", "MLFLOW", "W2V", "UVICORN")  # what the environment of the tests says of these is not told


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheels.build(tmp_path_factory.mktemp("build"))


class Installed:
    """The environment's `w2v`, in the user's folder."""

    def __init__(self, programs: Path, folder: Path, corpus: Path) -> None:
        self.programs, self.folder, self.mark = programs, folder, folder.with_name("imported")
        self.environment = {name: word for name, word in os.environ.items() if not name.startswith(OURS)}
        self.prefect, self.mlflow = free_port(), free_port()
        shutil.copy(corpus, folder / "topics.txt")
        (folder / "topics.toml").write_text(EXPERIMENT)
        for name in THEIRS:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(TRAP.format(mark=str(self.mark)))

    @property
    def imported(self) -> str:
        """Return which of the user's files were imported."""
        return self.mark.read_text() if self.mark.exists() else ""

    def run(self, *words: str | Path, code: int = 0, **environment: str) -> str:
        about = {"cwd": self.folder, "env": self.environment | environment}
        done = subprocess.run([self.programs / words[0], *words[1:]], capture_output=True, text=True, **about)  # type: ignore[call-overload]

        assert done.returncode == code, f"{self.imported}{done.stdout}{done.stderr}"
        return f"{done.stdout}{done.stderr}"

    def until_it_prints(self, text: str, *words: str) -> subprocess.Popen[str]:
        words = (str(self.programs / words[0]), *words[1:])
        started = subprocess.Popen(
            words, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert started.stdout
        said = []
        for line in started.stdout:
            said.append(line)
            if text in line:
                return started
        raise AssertionError(f"{self.imported}{''.join(said)}")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, built: Path, corpus: Path) -> Iterator[Installed]:
    programs = wheels.environment(tmp_path_factory.mktemp("application"), built)
    folder = tmp_path_factory.mktemp("user") / "folder"
    folder.mkdir()
    here = Installed(programs, folder, corpus)
    yield here
    here.run("w2v", "down", "--workspace", "ws")


def test_the_wheel_has_all_and_nothing_else(built: Path) -> None:
    """The wheel has templates, configs, deployments, types and the licence, but no tests and no documents."""
    names = set(ZipFile(built).namelist())

    assert {
        "flows/deployment/prefect.yaml", "flows/serving/templates/serving.html",
        "tasks/comparison/templates/comparison.html",
        "tasks/engine/databases/prefect.sql", "tasks/engine/databases/mlflow.sql",
        "configs/quickstart.toml", *(f"{name}/py.typed" for name in ("flows", "tasks", "configs", "w2v_core")),
    } <= names  # fmt: skip
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "flows", "tasks", "configs", "w2v_core",
    }  # fmt: skip


def test_the_modules_are_those_of_the_wheel(installed: Installed) -> None:
    """Modules are imported neither from the checkout nor from the user's folder."""
    code = "import flows, tasks, configs, w2v_core as core; print(*(p.__file__ for p in (flows, tasks, configs, core)))"
    files = installed.run("python", "-P", "-c", code).split()

    assert all(Path(file).is_relative_to(installed.programs.parent) for file in files)


def test_a_retraining_with_a_temporary_server(installed: Installed) -> None:
    """It finishes, its run has metrics, and none of the user's files was imported."""
    said = installed.run("w2v", "retrain", "topics.toml", "--set", "seed=2")

    assert "vectors" in said
    assert not installed.imported


def test_the_quickstart_is_there(installed: Installed) -> None:
    """The default config and the text from installed packages are found."""
    assert "documents" in installed.run("w2v", "plan", "--workspace", "quick")
    assert not installed.imported


def test_an_image_needs_the_source(installed: Installed) -> None:
    """`w2v unit compose` needs a checkout and says so; `w2v unit systemd` works."""
    refused = installed.run("w2v", "unit", "compose", "topics.toml", code=1)

    assert "an image for Compose is built from the source" in refused
    assert f"ExecStart={installed.programs}/w2v up" in installed.run("w2v", "unit", "systemd", "topics.toml")


@pytest.mark.long
def test_a_service_and_its_worker(installed: Installed) -> None:
    """Up, a run by the worker with a relative path, a new deployment, status, down."""
    ports = ["--prefect-port", str(installed.prefect), "--mlflow-port", str(installed.mlflow)]
    installed.run("w2v", "up", "topics.toml", *ports)
    lines = (installed.folder / "ws" / "service" / "environment").read_text().splitlines()
    told = dict(shlex.split(line)[-1].split("=", 1) for line in lines if line.startswith("export "))
    prefect = ["python", "-P", "-m", "prefect"]
    told["PREFECT_HOME"] = str(installed.folder / "ws" / "prefect")
    ended = installed.run(*prefect, "deployment", "run", "retrain/topics", "--watch", **told)

    assert "Completed" in ended
    assert installed.run("w2v", "deploy", "topics.toml").count("✓") == 6
    assert "Completed" in installed.run("w2v", "status", "--workspace", "ws")
    installed.run("w2v", "down", "--workspace", "ws")
    assert not installed.imported


def test_vectors_are_served(installed: Installed) -> None:
    """The server of the champion's vectors answers."""
    port = str(free_port())
    with installed.until_it_prints("served on", "w2v", "serve", "--workspace", "ws", "--port", port) as server:
        answer = httpx.get(f"http://127.0.0.1:{port}{HEALTH}", timeout=60)
        server.send_signal(signal.SIGINT)
        server.communicate()

    assert answer.status_code == 200
    assert not installed.imported


def test_pages_are_served(installed: Installed) -> None:
    """MLflow's server, with the guard that it finds as a plug-in of this package, answers."""
    words = ["ui", "--workspace", "ws", "--port", str(free_port())]
    with installed.until_it_prints("MLflow on", "w2v", *words) as server:
        server.send_signal(signal.SIGINT)
        server.communicate()

    assert not installed.imported
