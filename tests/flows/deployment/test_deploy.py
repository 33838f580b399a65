"""The deployments of prefect.yaml on a real server with a real worker: schedules, limits and retries."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.orchestration.flow_runs import FlowRuns
from tests.support.servers import answers, free_port, until

W2V = Path(sys.executable).parent / "w2v"
EVERY = 10  # seconds between two hours of the schedule
EXPERIMENT = """
name = "topics"
ingestion = {{source = "topics.txt", text_documents = "line"}}
vocabulary = {{min_count = 1, subsample = 0}}
training = {{vector_size = 8, epochs = 2, batch_size = 32, damping = 0.5}}
tracking = {{uri = "http://127.0.0.1:{port}"}}
schedule = {{cron = "* * * * * */{every}", timezone = "Europe/Berlin"}}
"""


@contextmanager
def process(*words: str, folder: Path, log: Path, **environment: str) -> Iterator[None]:
    with log.open("wb") as lines:
        started = subprocess.Popen(
            [sys.executable, *words], cwd=folder, stdout=lines, stderr=lines, env=os.environ | environment
        )
    try:
        yield
    finally:
        started.terminate()
        started.wait(60)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """The folder of a user who deploys: a config and a text."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "topics.txt").write_bytes(corpus.read_bytes())
    return folder


@pytest.fixture(scope="module")
def server(place: Path, database: Path, prefect_database: Path) -> Iterator[str]:
    """A Prefect server with all services; the one of other tests has no scheduler."""
    port = free_port()
    (place.parent / "server").mkdir()
    shutil.copy(prefect_database, place.parent / "server")
    shutil.copy(database, place)
    command = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app", "--port", str(port)]
    home = {"PREFECT_HOME": str(place.parent / "server"), "PREFECT_UI_ENABLED": "0"}
    with process(*command, folder=place, log=place.parent / "server.log", **home):
        until(lambda: answers(f"http://127.0.0.1:{port}/api/health"))
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
            yield f"http://127.0.0.1:{port}/api"


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def mlflow_port(place: Path) -> int:
    port = free_port()
    (place / "topics.toml").write_text(EXPERIMENT.format(port=port, every=EVERY))
    return port


def deploy(place: Path, server: str) -> list[str]:
    answer = subprocess.run(
        [W2V, "deploy", "topics.toml"], cwd=place, capture_output=True, text=True,
        env=os.environ | {"PREFECT_API_URL": server},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return [line.removeprefix("✓ ") for line in answer.stdout.splitlines() if line.startswith("✓ ")]


@pytest.fixture(scope="module")
def deployed(
    server: str, place: Path, mlflow_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    """Return what `w2v deploy` prints the second time; the worker's folder has no relation to the project."""
    deploy(place, server)
    folder = tmp_path_factory.mktemp("worker")
    command = ["-m", "prefect", "worker", "start", "--pool", "w2v"]
    with process(*command, folder=folder, log=folder / "log", PREFECT_API_URL=server):
        yield deploy(place, server)
    assert [path.name for path in folder.iterdir()] == ["log"]


def runs(client: SyncPrefectClient) -> list[FlowRun]:
    """Return the flow runs of the retraining, by their time."""
    retrain = client.read_deployment_by_name("retrain/topics").id
    found = client.read_flow_runs(deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[retrain])))
    return sorted(found, key=lambda run: run.expected_start_time)


def named(client: SyncPrefectClient, state: str, text: str = "") -> list[FlowRun]:
    return [run for run in runs(client) if run.state_name == state and text in run.name]


def tasks(client: SyncPrefectClient, run: FlowRun) -> dict[str, TaskRun]:
    found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
    return {each.name: each for each in found}


def said(client: SyncPrefectClient, run: FlowRun) -> str:
    """Return the log of a flow run."""
    found = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])), limit=200)
    return "\n".join(line.message for line in found)


def test_all_of_prefect_yaml_is_deployed(deployed: list[str], client: SyncPrefectClient, place: Path) -> None:
    """The deployment has the config, its schedule and a limit of one run; a second deployment adds no schedule."""
    retrain = client.read_deployment_by_name("retrain/topics")
    (schedule,) = retrain.schedules

    def once_each() -> bool:
        hours = [run.expected_start_time for run in runs(client)]
        return len(hours) == len(set(hours)) > 1

    until(once_each)  # the server schedules in passing, and takes back what the first time has scheduled
    assert deployed == [f"{flow}/topics" for flow in ("gc", "reconcile", "reproduce", "retain", "retrain", "sweep")]
    assert retrain.parameters["config"]["training"]["vector_size"] == 8
    assert retrain.parameters["config"]["runtime"]["workspace"] == str(place / "workspace")
    assert (schedule.schedule.timezone, schedule.active) == ("Europe/Berlin", True)
    assert retrain.global_concurrency_limit.limit == 1
    assert retrain.concurrency_options.collision_strategy == "CANCEL_NEW"
    assert retrain.tags == ["w2v", "model:topics"]
    assert retrain.description.startswith("Retrain topics on the text")


def test_the_form_explains_its_fields(deployed: list[str], client: SyncPrefectClient) -> None:
    """Sections are groups, and each field says what it is for."""
    schema = client.read_deployment_by_name("retrain/topics").parameter_openapi_schema
    sections = [kind for name, kind in schema["definitions"].items() if name != "Config"]
    fields = {name: field for kind in sections for name, field in kind["properties"].items()}

    assert all(each["description"] for each in schema["properties"].values())
    assert {"Ingestion", "Training", "Promotion"} <= schema["definitions"].keys()
    assert all(kind["description"] for kind in sections)
    assert len(fields) > 60
    assert [name for name, field in fields.items() if "description" not in field] == []


def test_queued_runs_bear_names(deployed: list[str], client: SyncPrefectClient) -> None:
    """Of which model, what, and when; the names that runs have are left as they are."""
    retain = DeploymentFilter(id=DeploymentFilterId(any_=[client.read_deployment_by_name("retain/topics").id]))
    until(lambda: client.read_flow_runs(deployment_filter=retain))  # the server makes them some time after it is told
    before = client.read_flow_runs(deployment_filter=retain)
    FlowRuns(client).name_queued()
    found = {run.id: run.name for run in client.read_flow_runs(deployment_filter=retain)}

    for run in before:
        assert re.fullmatch(r"topics: retain, due \d{4}-\d\d-\d\d \d\d:00 UTC", found[run.id])


@pytest.fixture(scope="module")
def first(client: SyncPrefectClient, deployed: list[str], mlflow_port: int, place: Path) -> Iterator[FlowRun]:
    """The first scheduled run; MLflow's server starts only after the run has failed once, and another run was
    requested.
    """
    until(lambda: named(client, "Running"))
    (run,) = named(client, "Running")
    until(lambda: (found := tasks(client, run)) and found["connection"].state_name == "AwaitingRetry")
    client.create_flow_run_from_deployment(run.deployment_id, name="by hand")
    command = [
        "-m", "mlflow", "server", "--port", str(mlflow_port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{place}/mlflow.db", "--artifacts-destination", str(place / "artifacts"),
    ]  # fmt: skip
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with process(*command, folder=place, log=place.parent / "mlflow.log", **quiet):
        until(lambda: not named(client, "Running"))
        yield client.read_flow_run(run.id)


def test_a_failure_that_passes_is_tried_again(
    first: FlowRun, client: SyncPrefectClient, mlflow_port: int, place: Path
) -> None:
    """MLflow cannot be reached at first; the scheduled run, with its name, still ends as a FINISHED MLflow run."""
    (run,) = MlflowClient(f"http://127.0.0.1:{mlflow_port}").search_runs(["1"])

    assert first.state_name == "Completed"
    assert first.name == "topics: vectors from topics.txt, scheduled: version 1 promoted"
    assert tasks(client, first)["connection"].run_count > 1
    assert "✓ training" in said(client, first)
    assert run.info.status == "FINISHED"
    assert first.labels["mlflow.run_id"] == run.info.run_id
    assert list((place / "workspace").glob("store/training/*/vectors.parquet"))


def test_two_do_not_run_at_once(first: FlowRun, client: SyncPrefectClient) -> None:
    """A run that is due or requested while another is running is cancelled and does not wait."""
    (asked,) = named(client, "Cancelled", "by hand")

    assert asked.state.message == "Deployment concurrency limit reached."
    assert asked.run_count == 0


def test_nothing_new_is_nothing_to_do(first: FlowRun, client: SyncPrefectClient, mlflow_port: int) -> None:
    """The next scheduled run finds the result and makes no run."""
    (again, *_) = until(lambda: named(client, "Completed", "nothing to do"))

    assert again.name == "topics: vectors from topics.txt, scheduled: nothing to do"
    assert again.labels["mlflow.run_id"] == first.labels["mlflow.run_id"]
    assert len(MlflowClient(f"http://127.0.0.1:{mlflow_port}").search_runs(["1"])) == 1


@pytest.fixture(scope="module")
def asked(first: FlowRun, client: SyncPrefectClient) -> dict[str, FlowRun]:
    """Flow runs started by hand: a sweep beside a reproduction, then gc; the schedule is paused."""
    client.pause_deployment(first.deployment_id)
    grid = ["training.learning_rate=0.02,0.05"]
    done = ended(client, sweep={"grid": grid}, reproduce={"run": first.labels["mlflow.run_id"]})
    return done | ended(client, gc={"last": 0, "days": 0})


def ended(client: SyncPrefectClient, **asked: dict[str, Any]) -> dict[str, FlowRun]:
    started = {name: run_deployment(f"{name}/topics", parameters=asked[name], timeout=0) for name in asked}
    return {name: until(lambda run=run: final(client, run), 240) for name, run in started.items()}


def final(client: SyncPrefectClient, run: FlowRun) -> FlowRun | None:
    found = client.read_flow_run(run.id)
    return found if found.state.is_final() else None


def artifacts(client: SyncPrefectClient, run: FlowRun) -> dict[str, str]:
    of_it = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
    return {str(each.key): str(each.data) for each in client.read_artifacts(artifact_filter=of_it)}


@pytest.mark.long
def test_a_sweep_is_asked_for(
    asked: dict[str, FlowRun], client: SyncPrefectClient, mlflow_port: int, place: Path
) -> None:
    """The worker makes a parent run with a child per candidate, and a table of ranks in MLflow and Prefect."""
    mlflow = MlflowClient(f"http://127.0.0.1:{mlflow_port}")
    assert asked["sweep"].state_name == "Completed", said(client, asked["sweep"])
    parent = mlflow.get_run(asked["sweep"].labels["mlflow.run_id"])
    children = mlflow.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")

    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert {run.data.params["training.learning_rate"] for run in children} == {"0.02", "0.05"}
    ranked = mlflow.download_artifacts(parent.info.run_id, "scores/sweep.csv", str(place))
    with open(ranked) as lines:
        rows = list(csv.DictReader(lines))
    shown = json.loads(artifacts(client, asked["sweep"])["scores"])
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert {row["run"] for row in rows} == {run.info.run_id for run in children}
    assert [row["run"] for row in shown] == [row["run"] for row in rows]
    assert list((place / "workspace" / "sweeps").glob("*.toml"))


@pytest.mark.long
def test_a_reproduction_is_asked_for(
    asked: dict[str, FlowRun], first: FlowRun, client: SyncPrefectClient, mlflow_port: int
) -> None:
    """The flow's page and the worker's MLflow run both say "identical"."""
    run = first.labels["mlflow.run_id"]
    assert asked["reproduce"].state_name == "Completed", said(client, asked["reproduce"])
    again = MlflowClient(f"http://127.0.0.1:{mlflow_port}").search_runs(["1"], f"tags.reproduces = '{run}'")

    assert [each.data.tags["reproduction"] for each in again] == ["identical"]
    assert "identical, bit for bit" in artifacts(client, asked["reproduce"])["reproduction"]


@pytest.mark.long
def test_gc_is_asked_for(asked: dict[str, FlowRun], client: SyncPrefectClient, place: Path) -> None:
    """Of three trainings, that of the champion and the last one are kept; the page lists what was deleted."""
    assert asked["gc"].state_name == "Completed", said(client, asked["gc"])

    assert len(list((place / "workspace").glob("store/training/*/vectors.parquet"))) == 2
    assert until(lambda: re.search(r"MB in \d+ folders deleted", said(client, asked["gc"])))
