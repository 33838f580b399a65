"""A sweep that is killed and started again, on a real Prefect server and a real MLflow database."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from rich.console import Console

from configs.loading import load
from configs.schema import Config
from flows.cli.output import outcomes
from flows.planning.plan import plan
from flows.retrain import retrain
from flows.sweep import SweepResult, sweep
from tasks.tracking import address
from tasks.tracking.names import LOSS
from tests.support.commands import called

W2V = Path(sys.executable).parent / "w2v"
RATES = ["training.learning_rate=0.02,0.05,0.1,1e30"]  # the last one diverges
pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(scope="module")
def settings(corpus: Path, workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    pairs = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    pairs.write_text("seaa\tseab\t9\nskya\tskyb\t8\nsuna\tsunb\t7\nseaa\tskyb\t1\nskya\tsuna\t2\n")
    return [
        "name=rates", f"ingestion.source={corpus}", "ingestion.text_documents=line", f"runtime.workspace={workspace}",
        "vocabulary.min_count=1", "vocabulary.subsample=0", f'evaluation.similarity=["{pairs}"]',
        "evaluation.bootstrap=50", "training.vector_size=8", "training.batch_size=32", "training.epochs=2",
        "training.damping=1e30", "seed=21",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def base(settings: list[str]) -> Config:
    return load(None, settings)


@pytest.fixture(scope="module")
def killed(settings: list[str], tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> str:
    """The parent of a sweep that was killed at its second candidate."""
    log = tmp_path_factory.mktemp("sweep") / "log"
    words = [word for setting in settings for word in ("--set", setting)]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [W2V, "sweep", *words, "--grid", *RATES, "--keep-one-in", "2"],
            stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + 600
    while log.read_text().count("· training.learning_rate") < 2:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (parent,) = [run for run in runs(load(None, settings)) if run.info.run_name == "rates, sweep of 4"]
    assert parent.info.status == "RUNNING"
    return str(parent.info.run_id)


@pytest.fixture(scope="module")
def done(base: Config, killed: str) -> SweepResult:
    """The same sweep, run again to its end."""
    return sweep(base, RATES, keep_one_in=2)


def runs(config: Config) -> list[Run]:
    return list(MlflowClient(address.uri(config)).search_runs(["1"]))


def children(config: Config, parent: str) -> list[Run]:
    return [run for run in runs(config) if run.data.tags.get("mlflow.parentRunId") == parent]


def test_what_was_interrupted_goes_on(base: Config, killed: str, done: SweepResult) -> None:
    """The parent is the same; each candidate has one run, and nothing stays RUNNING."""
    below = {run.data.params["training.learning_rate"]: run.info.status for run in children(base, killed)}

    assert done.run_id == killed
    assert MlflowClient(address.uri(base)).get_run(killed).info.status == "FINISHED"
    assert len(children(base, killed)) == len(below) == 4
    assert below.pop("1e+30") == "FAILED"
    assert sorted(below.values()) == ["FINISHED", "FINISHED", "KILLED"]


def test_the_better_half_trains_to_the_end(base: Config, done: SweepResult) -> None:
    """Chosen by J(θ) after one epoch of two; the best at the end is first, and the parent has its scores."""
    client = MlflowClient(address.uri(base))
    below = {run.data.params["training.learning_rate"]: run for run in children(base, done.run_id)}
    curves = {
        rate: [point.value for point in sorted(points, key=lambda point: point.step)]
        for rate, run in below.items()
        if len(points := client.get_metric_history(run.info.run_id, LOSS)) > 1
    }
    long = {rate: curve[2] for rate, curve in curves.items() if len(curve) == 3}
    parent = client.get_run(done.run_id)

    assert set(long) == set(sorted(curves, key=lambda rate: curves[rate][1])[:2])
    assert [str(each.change["training.learning_rate"]) for each in done.sweep.ranked[:2]] == sorted(
        long, key=lambda rate: long[rate]
    )
    assert done.sweep.ranked[2].metrics == {LOSS: next(curve[1] for curve in curves.values() if len(curve) == 2)}
    assert parent.data.metrics[LOSS] == min(long.values())
    assert set(parent.data.metrics) == {LOSS, "similarity/pairs"}


def test_preparation_is_shared(base: Config, done: SweepResult) -> None:
    """The plan of any candidate finds the draws of all others."""
    steps = plan(base.model_copy(update={"training": base.training.model_copy(update={"learning_rate": 0.07})})).steps

    assert [step.label for step in steps if not step.output] == ["training", "evaluation"]


def test_the_parent_holds_the_table_the_picture_and_the_config(base: Config, done: SweepResult, tmp_path: Path) -> None:
    """The best config is that of a finished run, so a retraining has nothing to do."""
    client = MlflowClient(address.uri(base))
    files = {file.path for folder in ("", "figures", "scores") for file in client.list_artifacts(done.run_id, folder)}
    logged = Path(client.download_artifacts(done.run_id, "best.toml", str(tmp_path)))

    assert {"best.toml", "report.md", "figures/what-mattered.png", "scores/sweep.csv"} <= files
    assert load(logged) == load(done.best)
    assert load(logged).training.learning_rate == done.sweep.best.change["training.learning_rate"]
    assert retrain(load(logged)).run_id == done.sweep.best.run_id


def test_the_terminal_names_the_best_and_the_next_step(
    base: Config, done: SweepResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output has one line a candidate, and the command that trains the best."""
    outcomes.show_swept(Console(width=200), base, done)
    said = capsys.readouterr().out

    assert [line.split()[0] for line in said.splitlines()[2:6]] == ["1", "2", "3", "–"]
    assert "diverged" in said
    assert f"w2v retrain {done.best}" in said


def test_the_same_sweep_again_is_nothing_to_do(base: Config, done: SweepResult) -> None:
    """No run is made; only the candidate that diverged is tried again, in its old run."""
    before = len(runs(base))

    assert sweep(base, RATES, keep_one_in=2).run_id == done.run_id
    assert len(runs(base)) == before


def test_a_grid_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """One wrong value gives exit code 2, and neither a store nor a database is made."""
    words = ["--set", "ingestion.source=text.txt", "--set", f"runtime.workspace={tmp_path}"]
    answer = called("sweep", *words, "--grid", "training.epochs=5,0", PREFECT_HOME=str(tmp_path / "prefect"))

    assert answer.returncode == 2
    assert "--grid training.epochs=0: training.epochs\nexpected  a whole number, at least 1" in answer.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"prefect", "matplotlib"}  # homes; the second has fonts
