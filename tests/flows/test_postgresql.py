"""Both servers on PostgreSQL, MLflow's files on S3: the strings of docs/operate.md, and no secret anywhere."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from mlflow import MlflowClient

from tests import servers
from tests.servers import Postgres, Server

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


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Iterator[Done]:
    """One retraining against them."""
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
                yield Done(folder, said.stdout + said.stderr, MlflowClient(mlflow.address), prefect)


def test_the_whole_flow_runs_on_postgresql(done: Done) -> None:
    """A complete MLflow run with a decision about its model, and a completed Prefect flow run that knows it."""
    (run,) = done.client.search_runs(["1"])
    flow_run = httpx.get(f"{done.prefect.address}/api/flow_runs/{run.data.tags['prefect.flow_run_id']}").json()

    assert run.info.status == "FINISHED"
    assert run.data.tags["promotion"] == "promoted"
    assert len(done.client.get_metric_history(run.info.run_id, "loss/training")) > 1
    assert flow_run["state_type"] == "COMPLETED"
    assert flow_run["labels"]["mlflow.run_id"] == run.info.run_id


def test_the_files_are_on_s3(done: Done, tmp_path: Path) -> None:
    """Those of the run and those of its model, written there by the retraining itself; they come back from there."""
    (run,) = done.client.search_runs(["1"])
    (model,) = done.client.search_logged_models(["1"])
    place = f"s3://{servers.BUCKET}/mlflow/"

    assert run.info.artifact_uri.startswith(place)
    assert model.artifact_location.startswith(place)
    report = Path(done.client.download_artifacts(run.info.run_id, "report.md", str(tmp_path)))
    assert "vectors of 24 words" in report.read_text()


@pytest.mark.parametrize("secret", [servers.SECRET, Postgres.PASSWORD])
def test_secrets_are_nowhere(done: Done, secret: str) -> None:
    """Not in a file of the workspace, of the servers or of the run, nor in its tags and parameters, nor was it said."""
    (run,) = done.client.search_runs(["1"])
    files = [path for path in done.folder.rglob("*") if path.is_file()]

    assert len(files) > 20
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert secret not in str(run.to_dictionary())
    assert secret not in done.said
