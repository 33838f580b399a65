"""The command line as users see it: its output and its exit codes."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
from mlflow import MlflowClient

from configs.schema import Ingestion, Runtime
from flows.cli import main
from tasks.engine.kernels import CONTRARY, PINNED
from tasks.engine.stage import Context
from tasks.ingestion.sources import BATCH
from tasks.ingestion.stage import ingestion
from tests.support.commands import called
from tests.support.paths import PROJECT
from tests.support.retraining import retrain
from tests.support.servers import answers, free_port

W2V = Path(sys.executable).parent / "w2v"
QUICK = ["vocabulary.min_count=1", "vocabulary.subsample=0", "training.vector_size=8", "training.damping=0.5"]


def w2v(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([W2V, *map(str, words)], capture_output=True, text=True, cwd=PROJECT, **options)


def settings(corpus: Path, workspace: Path, *more: str) -> list[str]:
    values = [f"ingestion.source={corpus}", "ingestion.text_documents=line", f"runtime.workspace={workspace}", *QUICK]
    return [word for value in [*values, *more] for word in ("--set", value)]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["retrain", "nowhere.toml"], 2, "nowhere.toml: cannot read this config"),
        (["retrain", "--set", "training.epoch=3"], 2, "unknown key training.epoch\ndid you mean `epochs`?"),
        (
            ["plan", "--set", "training.epochs=x"],
            2,
            "--set training.epochs=x: training.epochs\nexpected  a whole number",
        ),
        (["retrain", "--no-such-option"], 2, "No such option"),
        (["plan", "--set", "seed=1", "--set", "seed=2"], 2, "seed twice, before as 1"),
        (["plan", "--set", "ingestion.source=nowhere.txt"], 1, "nowhere.txt: no such file or folder"),
        (["neighbors", "word"], 1, "no vectors yet.\nRun `w2v retrain` first"),
        (["compare", "one"], 2, "name two or more different runs"),
        (["compare", "one", "two", "one"], 2, "name two or more different runs"),
        (["compare", "one", "two"], 1, "no runs yet.\nRun `w2v retrain` first"),
        (["export", "v.npy", "--format", "text"], 2, "v.npy: the name does not match the format of the export"),
        (
            ["export", ".", "--format", "text"],
            2,
            "export .: cannot be written\nexpected  the name of a file\nfound     a folder",
        ),
        (
            ["export", "README.md", "--format", "text"],
            2,
            "found     an existing file\nName another, or add --force",
        ),
        (["ui"], 1, "no runs yet.\nRun `w2v retrain` first"),
    ],
)
def test_wrong_use_is_2_and_failed_work_is_1(words: list[str], code: int, message: str, tmp_path: Path) -> None:
    """An error is one clear message without a traceback, and the exit code tells its kind."""
    place = ["--workspace", tmp_path] if words[0] in {"compare", "neighbors", "ui"} else []
    if words[0] in {"plan", "retrain"} and words[1:2] != ["--no-such-option"]:
        place = ["--set", f"runtime.workspace={tmp_path}"]
    answer = called(*words, *place)

    assert answer.returncode == code
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_the_program_gives_message_and_exit_code(debug: list[str]) -> None:
    """As for `called` above; --debug shows the traceback."""
    answer = w2v(*debug, "retrain", "nowhere.toml")

    assert answer.returncode == 2
    assert "nowhere.toml: cannot read this config" in answer.stderr
    assert ("Traceback" in answer.stderr) == bool(debug)


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_secrets_of_addresses_are_not_printed(debug: list[str], tmp_path: Path) -> None:
    """Secrets are masked in settings, places, errors of libraries and tracebacks."""
    refused = called(*debug, "plan", "--set", "tracking.uri=postgresql://me:hunter 2@host/db")
    wrong = {"MLFLOW_TRACKING_URI": "http://me:hunter2/x@[half/?token=hunter3", "PREFECT_HOME": str(tmp_path / "home")}
    unread = called(*debug, "history", "--workspace", str(tmp_path), **wrong)

    assert refused.returncode == 2
    assert unread.returncode == 1
    assert "hunter" not in refused.stdout + refused.stderr + unread.stdout + unread.stderr
    assert all("…" in answer.stderr for answer in (refused, unread))


def test_plan_starts_nothing(corpus: Path, tmp_path: Path) -> None:
    """Every stage is listed with its expected cost, and the store stays empty."""
    answer = called("plan", *settings(corpus, tmp_path / "ws"))

    assert answer.returncode == 0, answer.stderr
    assert all(stage in answer.stdout for stage in ("ingestion", "windows-004", "training", "evaluation"))
    assert not (tmp_path / "ws" / "store").exists()


@pytest.mark.parametrize("command", ["plan", "retrain"])
def test_a_wrong_column_is_told_before_anything_starts(command: str, tmp_path: Path) -> None:
    """The error lists the source's columns before a server or a run exists."""
    (tmp_path / "reviews.csv").write_text("id,review\n1,good\n")
    workspace = tmp_path / "ws"
    answer = called(
        command, "--set", f"ingestion.source={tmp_path / 'reviews.csv'}", "--set", f"runtime.workspace={workspace}",
        PREFECT_HOME=str(workspace / "prefect"),
    )  # fmt: skip

    assert answer.returncode == 1
    assert "reviews.csv: there is no column 'text'\nfound     id, review\nSet ingestion.text_column" in answer.stderr
    assert {path.name for path in workspace.iterdir()} <= {"prefect", "matplotlib"}  # homes; the second has fonts


def test_plan_estimates_from_what_it_sees(tmp_path: Path) -> None:
    """Three rows are counted as three documents, not by the file's bytes; ingested text is counted exactly."""
    (tmp_path / "reviews.csv").write_text("text\n" + "".join(f"a review {n}\n" for n in range(3)))
    answer = called(
        "plan", "--set", f"ingestion.source={tmp_path / 'reviews.csv'}", "--set", f"runtime.workspace={tmp_path}",
        "--set", "vocabulary.min_count=1", "--set", "windows.window=3",
    )  # fmt: skip
    rows = {line.split()[1]: line.split()[3] for line in answer.stdout.splitlines() if line.startswith("+")}

    assert (rows["ingestion"], rows["tokenization"]) == ("~3", "~3")


def test_plan_knows_what_is_new(tmp_path: Path) -> None:
    """With one large file ingested and one new, half of the reading is expected."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name in "ab":  # each as large as a batch
        text = "\n".join(f"{name} line {n} of a text about {name}{n % 1_000}" for n in range(130_000))
        (folder / f"{name}.txt").write_text(text)
        if name == "a":
            config = Ingestion(source=str(folder), text_documents="line")
            ingestion.compute(context=Context(runtime=Runtime(workspace=str(tmp_path))), config=config)
    answer = called("plan", *settings(folder, tmp_path))
    said = {line.split()[1]: line for line in answer.stdout.splitlines() if line.startswith("+")}

    assert (folder / "b.txt").stat().st_size > BATCH
    assert "runs on the new part, 50%" in said["ingestion"]
    assert "runs on the new part, 50%" in said["tokenization"]
    assert "new" not in said["vocabulary"]


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("evaluation.similarity", "sea water\n", "found     'sea water'"),
        ("evaluation.similarity", None, "cannot read this evaluation set"),
        ("vocabulary.fixed", None, "No such file"),
    ],
)
def test_plan_reads_what_later_stages_read(
    key: str, text: str | None, message: str, corpus: Path, tmp_path: Path
) -> None:
    """A file that would make the last stage fail is named before the first stage."""
    file = tmp_path / "set.tsv"
    if text:
        file.write_text(text)
    value = str(file) if key == "vocabulary.fixed" else f'["{file}"]'
    answer = called("plan", *settings(corpus, tmp_path / "ws", f"{key}={value}"))

    assert answer.returncode == 1
    assert str(file) in answer.stderr
    assert message in answer.stderr


def test_portable_is_seen_to_by_the_command(corpus: Path, tmp_path: Path) -> None:
    """The command pins the kernels before they are loaded; without that, a portable run is refused."""
    plain = {name: value for name, value in os.environ.items() if name not in {*PINNED, CONTRARY}}
    answer = w2v("plan", *settings(corpus, tmp_path / "ws", "runtime.portable=true"), env=plain)

    assert answer.returncode == 0
    assert not [line for line in answer.stderr.splitlines() if "(load " not in line]  # what takes long is told


def test_doctor_finds_nothing_wrong_here(tmp_path: Path) -> None:
    """On a machine that passes these tests, every check passes."""
    answer = w2v("doctor", "--workspace", tmp_path)

    assert answer.returncode == 0, answer.stdout
    assert "BLAS" in answer.stdout


def client(workspace: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{workspace}/mlflow.db")


def statuses(workspace: Path) -> list[str]:
    return [run.info.status for run in client(workspace).search_runs(["1"])]


def on_prefects_page(workspace: Path) -> tuple[str, str]:
    """Return the final state of the only flow run, from the database of a stopped server."""
    (run,) = client(workspace).search_runs(["1"])
    with closing(sqlite3.connect(Path(os.environ["PREFECT_HOME"]) / "prefect.db")) as database:
        (found,) = database.execute(
            "SELECT name, message FROM flow_run_state WHERE flow_run_id = ? ORDER BY timestamp DESC LIMIT 1",
            [run.data.tags["prefect.flow_run_id"]],
        )
    return found


def curves(workspace: Path) -> dict[str, list[int]]:
    """Return the steps of each metric of the only run, as they were logged."""
    (run,) = client(workspace).search_runs(["1"])
    names = {name: client(workspace).get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    return {name: sorted(point.step for point in history) for name, history in names.items()}


def start(words: list[str], log: Path, command: str = "retrain") -> subprocess.Popen[bytes]:
    """Start a command in its own session, as a terminal does."""
    heard = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731  # CI may ignore SIGINT
    with log.open("wb") as stream:
        return subprocess.Popen(
            [W2V, command, *words],
            cwd=PROJECT,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            preexec_fn=heard,
        )


def wait_until(found: Callable[[], object], log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 600
    while not found():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def checkpoints(workspace: Path) -> set[Path]:
    return set(workspace.glob("store/training/*/checkpoints/*/state.json"))


def start_training(words: list[str], workspace: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a retraining, and wait until it has written a checkpoint."""
    before = checkpoints(workspace)
    process = start(words, log)
    wait_until(lambda: checkpoints(workspace) - before, log, process)
    return process


def test_the_pages_end_quietly(workspace: Path, tmp_path: Path) -> None:
    """Ctrl-C to the process group of `w2v ui` gives exit code 0, no further output, and no server left."""
    port, log = free_port(), tmp_path / "log"
    process = start(["--workspace", str(workspace), "--port", str(port)], log, "ui")
    wait_until(lambda: "The link logs" in log.read_text(), log, process)
    assert answers(f"http://127.0.0.1:{port}/health")  # who opens the link at once finds the page
    said = log.read_text()
    os.killpg(process.pid, signal.SIGINT)

    assert process.wait(timeout=300) == 0, log.read_text()
    assert log.read_text() == said
    assert not answers(f"http://127.0.0.1:{port}/health")


def test_terminated_outside_training(corpus: Path, tmp_path: Path) -> None:
    """SIGTERM to the process group in a short stage: exit code 130, a KILLED run, and no server left.

    On a busy machine the signal may come when the work is done; then the next attempt has a workspace of its own.
    """
    for attempt in range(5):
        log, workspace = tmp_path / f"log-{attempt}", tmp_path / f"ws-{attempt}"
        process = start(settings(corpus, workspace), log)
        wait_until(lambda: list(tmp_path.glob("ws-*/unpublished/*/*")), log, process)  # in a task, not between two
        servers = psutil.Process(process.pid).children()
        os.killpg(process.pid, signal.SIGTERM)
        if code := process.wait(timeout=300):
            break
        shutil.rmtree(workspace)

    assert code == 130, log.read_text()
    assert "the same command continues where this one stopped" in log.read_text()
    assert statuses(workspace) == ["KILLED"]
    assert on_prefects_page(workspace)[0] == "Cancelled"
    assert len(servers) == 1
    assert not servers[0].is_running()


def test_interrupted_killed_and_finished(own: Path, corpus: Path, tmp_path: Path) -> None:
    """Ctrl-C to the process group in the training leaves a checkpoint and a KILLED run with the command that continues
    it. SIGKILL leaves it RUNNING.

    Each start continues the same run. At the end it is FINISHED, with the vectors and curves of a quiet training.
    """
    log, workspace, undisturbed = tmp_path / "log", own, tmp_path / "undisturbed"
    shutil.copytree(own, undisturbed)
    # single windows are slow enough to be caught at it
    words = settings(corpus, workspace, "training.batch_size=1", "training.epochs=2", "runtime.checkpoint_interval=0.2")
    process = start_training(words, workspace, log)
    os.killpg(process.pid, signal.SIGINT)

    assert process.wait(timeout=300) == 130, log.read_text()
    assert "the same command continues where this one stopped" in log.read_text()
    assert statuses(workspace) == ["KILLED"]
    assert checkpoints(workspace)
    (run,) = client(workspace).search_runs(["1"])
    assert run.data.tags["how to continue"].startswith("`w2v retrain --set ")
    state, message = on_prefects_page(workspace)
    assert state == "Cancelled"
    assert message.startswith("Stopped by Ctrl-C, SIGTERM or a closed terminal. `w2v retrain --set ")

    process = start_training(words, workspace, log)
    (server,) = psutil.Process(process.pid).children()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    server.wait(timeout=300)  # it is not left behind

    assert statuses(workspace) == ["RUNNING"]

    done = w2v("retrain", *words)
    assert done.returncode == 0, done.stderr
    assert statuses(workspace) == ["FINISHED"]

    retrain(settings(corpus, undisturbed, "training.batch_size=1", "training.epochs=2")[1::2])  # in this process
    (one,), (other,) = (tuple(place.glob("store/training/*/vectors.parquet")) for place in (workspace, undisturbed))
    assert one.read_bytes() == other.read_bytes()
    assert curves(workspace) == curves(undisturbed)


def answered(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://127.0.0.1/")
    return httpx.HTTPStatusError(f"answered {status}", request=request, response=httpx.Response(status))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "ws/uses/a"),
            "ws/uses/a has no space left: the disk is full",
        ),
        (OSError(errno.EROFS, "Read-only file system", "ws/latest.json"), "ws/latest.json cannot be written"),
        (httpx.ConnectError("refused"), "Prefect's server cannot be reached"),
        (answered(503), "Prefect's server cannot be reached"),
        (answered(418), "This was not expected"),
        (KeyError("Permission denied"), "This was not expected"),
    ],
)
def test_what_refuses_is_told_by_its_cause(error: Exception, said: str) -> None:
    """For every command, the disk or Prefect's server is named as the cause; any other error is unexpected."""
    assert said in main._message(error)
