"""A run that is cancelled on Prefect's page is KILLED in MLflow, and the next start continues it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.states import State

from configs.schema import Config
from flows.retrain import retrain
from tests.support.paths import PROJECT
from tests.support.servers import until

SERVE = "from flows.retrain import retrain; retrain.serve(name='here')"
CHECKPOINTS = "store/training/*/checkpoints/*/state.json"


@pytest.fixture
def deployment(prefect_server: None, tmp_path: Path) -> Iterator[str]:
    """Serve the flow from a process; give the deployment's id."""
    environment = {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value()}
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen([sys.executable, "-c", SERVE], cwd=PROJECT, env=environment, stdout=log, stderr=log)

    def registered() -> Any:
        assert serving.poll() is None, (tmp_path / "log").read_text()
        try:
            with get_client(sync_client=True) as client:
                return client.read_deployment_by_name("retrain/here").id
        except ObjectNotFound:
            return None

    try:
        yield until(registered)
    finally:
        serving.terminate()
        serving.wait(60)


@pytest.mark.long
def test_cancelled_and_continued(config: Config, deployment: str, tmp_path: Path) -> None:
    """The flow stops within seconds with a checkpoint; the same config again finishes the same run."""
    slow = {
        **config.model_dump(mode="json"),
        "runtime": {"workspace": str(tmp_path / "ws"), "checkpoint_interval": 0.5},
    }
    slow["training"] |= {"batch_size": 1, "epochs": 10}
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run_from_deployment(deployment, parameters={"config": slow})
        until(lambda: list(tmp_path.glob(f"ws/{CHECKPOINTS}")))
        client.set_flow_run_state(flow_run.id, State(type=StateType.CANCELLING))

        def status() -> str:
            (run,) = MlflowClient(f"sqlite:///{tmp_path}/ws/mlflow.db").search_runs(["1"])
            return run.info.status

        until(lambda: status() == "KILLED", 60)
        until(lambda: client.read_flow_run(flow_run.id).state.is_cancelled(), 60)
    assert list(tmp_path.glob(f"ws/{CHECKPOINTS}"))

    done = retrain(Config.model_validate(slow))
    assert status() == "FINISHED"
    assert list(done.outputs.trained.vectors.path.glob("vectors.parquet"))
