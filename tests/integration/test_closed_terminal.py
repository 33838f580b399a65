"""Closed terminals, and shells in which signals are ignored: how commands end then."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from prefect.settings import PREFECT_API_URL

from tests.integration.test_cli import PROJECT, QUICK, W2V, checkpoints, client, settings, statuses, wait_until
from tests.support.commands import called
from tests.support.retraining import retrain
from tests.support.servers import answers, free_port
from tests.support.terminals import Terminal, ended

# single windows are slow enough to be caught at it
SLOW = ["training.batch_size=1", "training.epochs=6", "runtime.checkpoint_interval=0.2"]


@pytest.mark.parametrize("before", ["in training", pytest.param("between stages", marks=pytest.mark.long)])
def test_a_closed_terminal_leaves_a_checkpoint_and_a_killed_run(
    before: str, own: Path, corpus: Path, tmp_path: Path
) -> None:
    """As after SIGTERM, the exit code is 130 and no server is left, although output is impossible."""
    log, terminal = tmp_path / "log", Terminal(tmp_path / "log")
    process = terminal.start(W2V, "retrain", *settings(corpus, own, *SLOW))
    with ended(process):
        in_training = before == "in training"
        wait_until(
            lambda: checkpoints(own) if in_training else list(own.glob("mlartifacts/**/config.json")), log, process
        )
        (server,) = psutil.Process(process.pid).children()
        terminal.close()

        assert process.wait(timeout=300) == 130, log.read_text()
    assert statuses(own) == ["KILLED"]
    assert bool(checkpoints(own)) == in_training
    assert not server.is_running()


@pytest.fixture(scope="module")
def retrained(workspace: Path, corpus: Path) -> tuple[Path, str]:
    """A workspace with the result of the slow training, and the run's id."""
    retrain(settings(corpus, workspace, *SLOW)[1::2])
    (run,) = client(workspace).search_runs(["1"])
    return workspace, run.info.run_id


def days_of(corpus: Path, folder: Path) -> Path:
    lines = corpus.read_text().splitlines(keepends=True)
    for number in (1, 2):
        (folder / f"2026-01-0{number}.txt").write_text("".join(lines[number - 1 :: 2]))
    return folder / "%Y-%m-%d.txt"


@pytest.mark.long
@pytest.mark.parametrize("command", ["sweep", "backfill", "retrain", "reproduce"])
def test_each_command_that_trains_ends_well(
    command: str, retrained: tuple[Path, str], corpus: Path, tmp_path: Path
) -> None:
    """Each leaves a checkpoint, no RUNNING run, no process, and exit code 130."""
    place, log = tmp_path / "ws", tmp_path / "log"
    shutil.copytree(retrained[0], place)
    words = {
        "sweep": [*settings(corpus, place, *SLOW, "seed=2"), "--grid", "training.learning_rate=0.02,0.05"],
        "backfill": [*settings(days_of(corpus, tmp_path), place, *SLOW), "--from", "2026-01-01", "--to", "2026-01-02"],
        "retrain": [*settings(corpus, place, *SLOW, "seed=2"), "--seeds", "2"],
        "reproduce": [retrained[1], "--workspace", str(place)],
    }
    reproducing = command == "reproduce"  # in a workspace of its own, within the other
    terminal, before = Terminal(log), len(trained(place, reproducing))
    process = terminal.start(W2V, command, *words[command])
    with ended(process):
        wait_until(lambda: len(trained(place, reproducing)) > before, log, process)
        children = psutil.Process(process.pid).children(recursive=True)
        terminal.close()

        assert process.wait(timeout=300) == 130, log.read_text()
    assert len(trained(place, reproducing)) > before
    assert set(statuses(place)) == {"FINISHED", "KILLED"}
    assert statuses(place).count("FINISHED") == 1
    assert not [child for child in children if child.is_running()]
    assert not (place / "tmp").exists()


def trained(workspace: Path, reproducing: bool) -> list[Path]:
    return list(workspace.glob(f"{'reproductions/*/' * reproducing}store/training/*/checkpoints/*/state.json"))


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Lock a database as another process does, as far as SQLite knows."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize(
    "command", ["gc", *(pytest.param(each, marks=pytest.mark.long) for each in ("retain", "sync"))]
)
def test_each_command_that_waits_ends_well(
    command: str, retrained: tuple[Path, str], corpus: Path, tmp_path: Path
) -> None:
    """While a command waits for a locked database, a closed terminal loses nothing and leaves no process."""
    place, log = tmp_path / "ws", tmp_path / "log"
    shutil.copytree(retrained[0], place)
    assert called("history", "--workspace", place).returncode == 0  # relocates it, while its database is free
    if command == "sync":
        keep_a_result(corpus, place)
    before, terminal = stored(place), Terminal(log)
    words = settings(corpus, place) if command == "retain" else ["--workspace", place]
    with locked(place / "mlflow.db"):
        process = terminal.start(W2V, command, *words)
        with ended(process):
            wait_until(lambda: "which another process has locked" in log.read_text(), log, process)
            children = psutil.Process(process.pid).children(recursive=True)
            terminal.close()

            assert process.wait(timeout=300) == 130, log.read_text()
    assert stored(place) == before
    assert not [child for child in children if child.is_running()]
    assert not (place / "tmp").exists()


def keep_a_result(corpus: Path, workspace: Path) -> None:
    """Make a result that waits in the workspace until MLflow can be told of it."""
    some = [f"ingestion.source={corpus}", "ingestion.text_documents=line", *QUICK, f"runtime.workspace={workspace}"]
    make = f"from tests.support.retraining import prepare; prepare('sync', {some})"
    subprocess.run([sys.executable, "-c", make], cwd=PROJECT, check=True)

    assert list(workspace.glob("waiting/*.json"))


def stored(workspace: Path) -> set[Path]:
    return {*workspace.glob("store/*/*/*"), *workspace.glob("waiting/*.json")}


@pytest.mark.parametrize("command", ["serve", pytest.param("ui", marks=pytest.mark.long)])
def test_each_command_that_serves_ends_well(command: str, retrained: tuple[Path, str], tmp_path: Path) -> None:
    """As Ctrl-C ends it: exit code 0, the port is free, and no process is left."""
    log, port = tmp_path / "log", free_port()
    terminal = Terminal(log)
    place, run = retrained
    of_run = ["--run", run] if command == "serve" else []
    process = terminal.start(W2V, command, "--workspace", place, "--port", str(port), *of_run)
    with ended(process):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), log, process)
        children = psutil.Process(process.pid).children(recursive=True)
        terminal.close()

        assert process.wait(timeout=300) == 0, log.read_text()
    assert not answers(f"http://127.0.0.1:{port}/health")
    assert not [child for child in children if child.is_running()]


@pytest.mark.usefixtures("prefect_server")
def test_what_is_ignored_at_the_start_stays_ignored(own: Path, corpus: Path, tmp_path: Path) -> None:
    """SIGHUP under nohup, and SIGINT after `&` in a script, stay ignored; SIGTERM still stops the command."""
    log, terminal = tmp_path / "log", Terminal(tmp_path / "log")
    ignoring = ["sh", "-c", 'trap "" INT; exec nohup "$@" < /dev/null >> "$LOG" 2>&1', "sh"]
    words = [*ignoring, W2V, "retrain", *settings(corpus, own, *SLOW)]
    process = terminal.start(*words, PREFECT_API_URL=PREFECT_API_URL.value(), LOG=str(log))
    with ended(process):
        wait_until(lambda: checkpoints(own), log, process)
        terminal.close()
        process.send_signal(signal.SIGINT)
        before = checkpoints(own)
        wait_until(lambda: checkpoints(own) - before, log, process)

        assert statuses(own) == ["RUNNING"]

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=300) == 130, log.read_text()
    assert statuses(own) == ["KILLED"]
