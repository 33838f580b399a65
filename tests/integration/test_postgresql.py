"""Both servers on PostgreSQL, MLflow's files on S3, as docs/how-to/postgres-s3.md says; no secret is revealed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from mlflow import MlflowClient

from flows.service.state import Place
from tests.support import servers
from tests.support.servers import Postgres, Server, free_port

W2V = Path(sys.executable).parent / "w2v"
SETTINGS = [
    "ingestion.text_documents=line", "vocabulary.min_count=1", "vocabulary.subsample=0",
    "training.vector_size=8", "training.damping=0.5", "training.batch_size=32", "training.epochs=2",
]  # fmt: skip


class Done(NamedTuple):
    folder: Path  # all that was written but for the databases
    said: str
    client: MlflowClient
    prefect: Server
    postgres: Postgres


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Iterator[Done]:
    """One retraining with these servers."""
    if Postgres.programs() is None:
        pytest.skip("PostgreSQL is not on this machine: Debian has it in the package postgresql")
    folder = tmp_path_factory.mktemp("servers")
    with tempfile.TemporaryDirectory() as data, pytest.MonkeyPatch.context() as patch:
        postgres = Postgres(Path(data), folder / "postgres.log")
        with servers.running(postgres), servers.s3(folder) as keys:
            for name, value in keys.items():
                patch.setenv(name, value)
            files = ["--default-artifact-root", f"s3://{servers.BUCKET}/mlflow", "--no-serve-artifacts"]
            mlflow = servers.mlflow(folder, postgres.address("mlflow", "psycopg2"), *files)
            database = postgres.address("prefect", "asyncpg")
            prefect = servers.prefect(folder, PREFECT_SERVER_DATABASE_CONNECTION_URL=database)
            with servers.running(mlflow, prefect):
                patch.setenv("MLFLOW_TRACKING_URI", mlflow.address)
                patch.setenv("PREFECT_API_URL", f"{prefect.address}/api")
                changes = [f"ingestion.source={corpus}", f"runtime.workspace={folder}/ws", *SETTINGS]
                words = [word for each in changes for word in ("--set", each)]
                said = subprocess.run([W2V, "retrain", *words], capture_output=True, text=True)
                assert said.returncode == 0, said.stderr
                yield Done(folder, said.stdout + said.stderr, MlflowClient(mlflow.address), prefect, postgres)


def test_the_whole_flow_runs_on_postgresql(done: Done) -> None:
    """The MLflow run is complete, with a decision about its model, and so is the Prefect flow run that names it."""
    (run,) = done.client.search_runs(["1"])
    flow_run = httpx.get(f"{done.prefect.address}/api/flow_runs/{run.data.tags['prefect.flow_run_id']}").json()

    assert run.info.status == "FINISHED"
    assert run.data.tags["promotion"] == "promoted"
    assert len(done.client.get_metric_history(run.info.run_id, "loss/training")) > 1
    assert flow_run["state_type"] == "COMPLETED"
    assert flow_run["labels"]["mlflow.run_id"] == run.info.run_id


def test_the_files_are_on_s3(done: Done, tmp_path: Path) -> None:
    """The retraining wrote the files of the run and its model there, and they can be read back."""
    (run,) = done.client.search_runs(["1"])
    (model,) = done.client.search_logged_models(["1"])
    place = f"s3://{servers.BUCKET}/mlflow/"

    assert run.info.artifact_uri.startswith(place)
    assert model.artifact_location.startswith(place)
    report = Path(done.client.download_artifacts(run.info.run_id, "report.md", str(tmp_path)))
    assert "vectors of 24 words" in report.read_text()


@pytest.mark.parametrize("secret", [servers.SECRET, Postgres.PASSWORD])
def test_secrets_are_nowhere(done: Done, secret: str) -> None:
    """No secret is in a file of workspace, servers or run, in tags, parameters or output."""
    (run,) = done.client.search_runs(["1"])
    files = [path for path in done.folder.rglob("*") if path.is_file()]

    assert len(files) > 20
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert secret not in str(run.to_dictionary())
    assert secret not in done.said


@pytest.mark.long
def test_the_service_runs_on_postgresql(done: Done, corpus: Path, tmp_path: Path) -> None:
    """`w2v up` with both databases' addresses: a retraining is recorded there, nothing is in SQLite, and the password
    is in no file, output or command line.
    """
    mlflow, said, ports = done.postgres.address("mlflow_of_service", "psycopg2"), "", (free_port(), free_port())
    addresses = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": done.postgres.address("prefect_of_service", "asyncpg"),
        "MLFLOW_TRACKING_URI": mlflow,
    }
    alone = {
        name: value for name, value in os.environ.items() if name not in ("PREFECT_API_URL", "PREFECT_HOME", *addresses)
    }
    (tmp_path / "topics.toml").write_text(f'ingestion.source = "{corpus}"\n')
    changes = [word for each in SETTINGS for word in ("--set", each)]

    def w2v(*words: str, **environment: str) -> str:
        run = subprocess.run([W2V, *words], cwd=tmp_path, env=alone | environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return run.stdout + run.stderr

    place = Place(tmp_path / "workspace")
    try:
        where = ["--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])]
        said += w2v("up", "topics.toml", *changes, *where, **addresses)
        said += w2v("retrain", "topics.toml", *changes)
        status = w2v("status")
        seen = [" ".join(process.cmdline()) for process in (*place.processes(), place.state.process)]
        said += status + w2v("down")
    finally:
        if state := place.state:  # something has failed
            state.process.kill()
        for process in place.processes():
            process.kill()
    (run,) = MlflowClient(mlflow).search_runs(["1"])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert run.info.status == "FINISHED"
    assert f"in http://127.0.0.1:{ports[1]}" in said
    assert "Completed" in status
    assert not [path for path in files if path.suffix == ".db"]
    assert place.log in files
    assert not [path for path in files if Postgres.PASSWORD.encode() in path.read_bytes()]
    assert Postgres.PASSWORD not in said
    assert len(seen) > 3
    assert not [words for words in seen if Postgres.PASSWORD in words]
