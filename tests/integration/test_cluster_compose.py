"""The Compose file of a cluster: what it exposes, and its commands as processes on loopback, without a container."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from mlflow import MlflowClient

from tests.support import object_store, servers
from tests.support.paths import PROJECT
from tests.support.servers import BIN, START, Postgres, free_port, until

FILE = PROJECT / "docs" / "how-to" / "cluster.compose.yaml"
PYTHON = {"python": sys.executable}


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_nothing_is_open_to_other_hosts() -> None:
    """Only the pages of both servers are published, on 127.0.0.1; the scheduler is not, and no password is written."""
    published = {name: each.get("ports", []) for name, each in services().items()}
    secrets = [
        line for line in FILE.read_text().splitlines() if re.search("PASSWORD:|SECRET.*:|secretKey|//w2v:", line)
    ]

    assert {name for name, ports in published.items() if ports} == {"prefect", "mlflow"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert len(secrets) == 5
    assert all("${W2V_PASSWORD" in secret for secret in secrets)


class Parts:
    """The services of the file as processes: their names are 127.0.0.1 and their ports are free ones."""

    def __init__(self, folder: Path, stack: ExitStack, ports: dict[str, int]) -> None:
        self.folder, self._stack = folder, stack
        self.ports = {port: free_port() for port in ("8786", "4200", "5000")} | ports

    def here(self, text: str) -> str:
        """Return a word of the file as it is on this machine."""
        text = re.sub(r"\$\{W2V_PASSWORD:[^}]*\}", Postgres.PASSWORD, text).replace("/text/", f"{self.folder}/text/")
        text = re.sub(r"(//|@)(postgres|s3|prefect|mlflow|scheduler):", r"\g<1>127.0.0.1:", text)
        text = re.sub(r"^(.*=)?0\.0\.0\.0$", r"\g<1>127.0.0.1", text)
        return re.sub(r"\b(8786|4200|5000|5432|8333)\b", lambda found: str(self.ports[found[0]]), text)

    def start(self, name: str, *more: str, workspace: str = "") -> subprocess.Popen[bytes]:
        """Start a service; it is killed at the end."""
        service = services()[name]
        program, *words = [self.here(str(word)) for word in service["command"]]
        own = {key: self.here(value) for key, value in service.get("environment", {}).items()}
        own |= {"W2V_WORKSPACE": workspace} if workspace else {}
        own |= {"PREFECT_HOME": str(self.folder / "prefect")}
        with open(self.folder / f"{name}.log", "ab") as log:
            command = [PYTHON.get(program) or str(BIN / program), *words, *more]
            process = subprocess.Popen(command, env=os.environ | own, cwd=self.folder, stdout=log, stderr=log)
        self._stack.callback(end, process)
        return process

    def answers(self, process: subprocess.Popen[bytes], name: str, address: str) -> None:
        """Return when a server answers."""

        def ready() -> bool:
            assert process.poll() is None, (self.folder / f"{name}.log").read_text()
            return servers.answers(address)

        until(ready, START)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def started(folder: Path) -> Iterator[Parts]:
    """Start all that `up` starts."""
    with tempfile.TemporaryDirectory() as data, ExitStack() as stack:
        postgres = Postgres(Path(data), folder / "postgres.log")
        stack.enter_context(servers.running(postgres))
        store = stack.enter_context(object_store.running())
        parts = Parts(folder, stack, {"5432": postgres.port, "8333": int(store.address.rpartition(":")[2])})
        assert parts.start("bucket").wait(START) == 0, (folder / "bucket.log").read_text()
        addresses = {"prefect": "http://127.0.0.1:4200/api/health", "mlflow": "http://127.0.0.1:5000/health"}
        both = {name: parts.start(name) for name in addresses}
        parts.start("scheduler")
        for number in "12":
            parts.start("worker", "--host", "127.0.0.1", workspace=str(folder / f"worker{number}"))
        for name, process in both.items():
            parts.answers(process, name, parts.here(addresses[name]))
        yield parts


@pytest.mark.long
@pytest.mark.skipif(
    Postgres.programs() is None, reason="PostgreSQL is not on this machine: Debian's package postgresql"
)
def test_its_commands_make_a_model(tmp_path: Path, corpus: Path) -> None:
    """`up` and `run retrain`: the run is complete in MLflow and Prefect, and what was made is in the bucket."""
    pytest.importorskip("distributed")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "config.toml").write_text(
        f'name = "topics"\n[ingestion]\nsource = "{corpus}"\ntext_documents = "line"\n'
        "[vocabulary]\nmin_count = 1\nsubsample = 0.0\n"
        "[training]\nvector_size = 8\nepochs = 2\nbatch_size = 32\ndamping = 0.5\n"
    )
    with started(tmp_path) as parts:
        command = parts.start("retrain", workspace=str(tmp_path / "command"))
        assert command.wait(START) == 0, (tmp_path / "retrain.log").read_text()
        client = MlflowClient(parts.here("http://127.0.0.1:5000"))
        (run,) = client.search_runs(["1"])
        flow_run = run.data.tags["prefect.flow_run_id"]
        state = httpx.get(parts.here(f"http://127.0.0.1:4200/api/flow_runs/{flow_run}")).json()["state_type"]
        files = [each.path for each in client.list_artifacts(run.info.run_id)]

    assert run.info.status == "FINISHED"
    assert state == "COMPLETED"
    assert "report.md" in files
    assert [each.name for each in (tmp_path / "command" / "store").iterdir() if each.name == "windows"]
