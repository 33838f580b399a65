"""The Compose file of the service: what it exposes, and its command as a process on loopback, without a container."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from tests.support import servers
from tests.support.paths import PROJECT
from tests.support.servers import BIN, START, Postgres, free_port, until

FILE = PROJECT / "docs" / "how-to" / "service.compose.yaml"


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_nothing_is_open_to_other_hosts() -> None:
    """The pages are published on 127.0.0.1, the records nowhere; no password is written, or stands in a command."""
    secrets = [line for line in FILE.read_text().splitlines() if re.search(r"PASSWORD:|AUTH_STRING:|//w2v:", line)]

    assert [services()["service"]["ports"], services()["postgres"].get("ports")] == [
        ["127.0.0.1:4200:4200", "127.0.0.1:5000:5000"],
        None,
    ]
    assert len(secrets) == 5
    assert all("${W2V_PASSWORD" in secret for secret in secrets)
    assert "PASSWORD" not in str(services()["service"]["command"])


@pytest.mark.long
@pytest.mark.skipif(Postgres.programs() is None, reason="PostgreSQL is not on this machine: Debian has a package of it")
def test_its_command_serves_and_its_records_are_in_postgresql(tmp_path: Path, corpus: Path) -> None:
    """`up` answers, a command in the same container retrains with its servers, and no record is in SQLite."""
    (tmp_path / "config.toml").write_text(
        f'name = "topics"\n[ingestion]\nsource = "{corpus}"\ntext_documents = "line"\n'
        "[vocabulary]\nmin_count = 1\nsubsample = 0.0\n"
        "[training]\nvector_size = 8\nepochs = 2\nbatch_size = 32\ndamping = 0.5\n"
    )
    workspace, log = tmp_path / "workspace", tmp_path / "log"
    with tempfile.TemporaryDirectory() as data:
        postgres = Postgres(Path(data), tmp_path / "postgres.log")

        def here(text: str) -> str:
            text = re.sub(r"\$\{W2V_PASSWORD:[^}]*\}", Postgres.PASSWORD, text).replace("$$", "$")
            ports = f"--prefect-port {free_port()} --mlflow-port {free_port()}"
            text = text.replace("--expose 0.0.0.0", f"--expose 127.0.0.1 {ports}").replace("/text/", f"{tmp_path}/")
            return text.replace("@postgres:5432/", f"@127.0.0.1:{postgres.port}/")

        service = services()["service"]
        own = {name: here(word) for name, word in service["environment"].items()}
        own |= {"W2V_WORKSPACE": str(workspace), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        alone = {name: word for name, word in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))} | own

        def w2v(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run([BIN / "w2v", *words], cwd=tmp_path, env=alone, capture_output=True, text=True)

        with servers.running(postgres), log.open("wb") as output:
            command = [here(word) for word in service["command"]]
            up = subprocess.Popen(command, cwd=tmp_path, env=alone, stdout=output, stderr=output)
            try:
                until(lambda: up.poll() is not None or w2v("status").returncode == 0, START)
                done = w2v("retrain", str(tmp_path / "config.toml"))
                status = w2v("status").stdout
            finally:
                w2v("down")
                up.wait(START)
            (run,) = MlflowClient(own["RECORDS"]).search_runs(["1"])

    assert done.returncode == 0, done.stderr + log.read_text()
    assert run.info.status == "FINISHED"
    assert "Completed" in status
    assert {path.name for path in workspace.rglob("*.db")} <= {"mlflow-auth.db"}  # MLflow's users
