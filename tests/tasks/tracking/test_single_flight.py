"""Several processes that want the same result at once: real processes, one real database."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from configs.schema import Config, Ingestion, Runtime, Tracking
from tasks.tracking import address
from tasks.tracking import client as tracking_client
from tasks.tracking.session import Tracker
from tests.support.runs import start_run
from tests.support.turns import work

if TYPE_CHECKING:
    from mlflow.entities import Run as Record

FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["tests.support.turns"])


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a database that several workspaces share."""
    found = f"sqlite:///{tmp_path_factory.mktemp('shared')}/mlflow.db"
    with tracking_client.reached(found):
        return found


@pytest.fixture
def config(uri: str, tmp_path: Path, request: pytest.FixtureRequest) -> Config:
    with tracking_client.reached(uri) as client:
        client.create_experiment(request.node.name, artifact_location=str(tmp_path / "files"))
    return Config(
        name="small",
        ingestion=Ingestion(source="text.txt"),
        tracking=Tracking(uri=uri, experiment=request.node.name),
        runtime=Runtime(workspace=str(tmp_path / "ws")),
    )


def runs(config: Config) -> "list[Record]":
    with tracking_client.reached(address.uri(config)) as client:
        experiment = client.get_experiment_by_name(config.tracking.experiment)
        assert experiment
        return list(client.search_runs([experiment.experiment_id]))


def in_workspace(config: Config, number: int) -> Config:
    place = f"{config.runtime.workspace}{number}"
    return config.model_copy(update={"runtime": config.runtime.model_copy(update={"workspace": place})})


@pytest.mark.parametrize("workspaces", [1, 2])
def test_of_several_at_once_one_makes_it(config: Config, workspaces: int) -> None:
    """The others wait for its run and then use it, even if they share only the database."""
    with ProcessPoolExecutor(4, mp_context=FRESH) as pool:
        places = [in_workspace(config, number % workspaces) for number in range(4)]
        found = list(pool.map(work, places, ["same"] * 4, [1.0] * 4))
    (run,) = runs(config)

    assert sorted(found) == [(run.info.run_id, made) for made in (False, True, True, True)]
    assert (run.info.status, run.data.tags.get("claim")) == ("FINISHED", None)


def begun(config: Config, seconds: float = 600) -> ForkServerProcess:
    """Start a process that works on the result."""
    process = FRESH.Process(target=work, args=(config, "same", seconds))
    process.start()
    deadline = time.monotonic() + 600
    while not [run for run in runs(config) if run.info.status == "RUNNING"]:
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return process


def test_the_run_of_an_owner_that_dies_is_taken_over(config: Config) -> None:
    """A process that waits for it resumes it."""
    owner = begun(config)
    threading.Timer(2, lambda: os.kill(owner.pid or 0, signal.SIGKILL)).start()
    started = time.monotonic()
    run_id, made = Tracker(in_workspace(config, 2)).begin(in_workspace(config, 2), "flow", recipe="same")
    owner.join()

    assert time.monotonic() - started > 1.5
    assert [(run.info.run_id, run.info.status) for run in runs(config)] == [(run_id, "RUNNING")]
    assert not made


def test_ctrl_c_ends_the_waiting(config: Config) -> None:
    """The wait ends at once, and the run itself goes on."""
    owner = begun(config)
    waiting = FRESH.Process(target=work, args=(in_workspace(config, 2), "same", 0))
    waiting.start()
    time.sleep(5)
    assert waiting.is_alive()
    os.kill(waiting.pid or 0, signal.SIGINT)
    waiting.join(10)

    assert waiting.exitcode == 1
    assert [run.info.status for run in runs(config)] == ["RUNNING"]
    owner.kill()
    owner.join()


def test_a_claim_whose_owner_died_is_withdrawn(config: Config) -> None:
    """A claim is not a run yet: nothing is left of it."""
    owner = begun(config)
    (run,) = runs(config)
    with tracking_client.reached(address.uri(config)) as client:
        client.set_tag(run.info.run_id, "claim", "1")
    owner.kill()
    owner.join()
    Tracker(config).close_abandoned()
    run_id = start_run(config, "flow", recipe="same")

    assert [each.info.run_id for each in runs(config)] == [run_id] != [run.info.run_id]
