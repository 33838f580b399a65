"""A workspace on a disk that is full or read-only: what commands say of it, and how they go on."""

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL
from typer.testing import CliRunner

from flows.cli import main
from flows.cli.app import app
from tasks.engine import scratch
from tests.integration.test_cli import settings, statuses, w2v
from tests.integration.test_closed_terminal import SLOW
from tests.support.disks import small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """One of 40 MB."""
    with small_disk(tmp_path / "disk", 40) as place:
        yield place


@pytest.mark.usefixtures("prefect_server")
def test_a_disk_that_cannot_be_written(own: Path, corpus: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command that writes there names the cause and the next step; one that only reads may do its work."""
    server = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()}
    place = disk / "ws"
    shutil.copytree(own, place)
    for seed in (1, 2):  # by other processes: none of this one has its files open
        done = w2v("retrain", *settings(corpus, place, f"seed={seed}"), env=server)
        assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(place / "mlflow.db")) as database:
        runs = [run for (run,) in database.execute("SELECT run_uuid FROM runs")]
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    monkeypatch.setattr(scratch, "settle", lambda workspace: None)  # it would last as long as the tests
    named, config = ["--workspace", str(place)], settings(corpus, place)
    readers = [["verify", runs[0]], ["history"], ["neighbors", "seaa"], ["compare", *runs]]
    writers = [["gc"], ["gc", "--dry-run"], ["sync"], ["promote", "1"]]
    writing = [["retain", *config], ["reconcile", *config], ["retrain", *config, "--set", "seed=3"]]
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    said = {words[0]: told([*words, *named]) for words in readers}
    refused = {" ".join(words[:2]): told(words) for words in [*(each + named for each in writers), *writing]}

    assert not {command: text for command, text in refused.items() if "cannot be written" not in text}
    assert not {command: text for command, text in refused.items() if "Make it writable" not in text}
    assert not {command: text for command, text in said.items() if text and "cannot be written" not in text}


def told(words: list[str]) -> str:
    """The message of the error that a command ends with; nothing if it ends well."""
    result = CliRunner().invoke(app, words)
    return main._message(result.exception) if isinstance(result.exception, Exception) else ""


@pytest.mark.usefixtures("prefect_server")
def test_a_disk_that_fills_up_during_a_retraining(own: Path, corpus: Path, disk: Path) -> None:
    """One message and exit code 1; the same command goes on once there is room, and nothing half written is left."""
    place = disk / "ws"
    shutil.copytree(own, place)
    server = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()}
    over = threading.Event()
    filling = threading.Thread(target=fill, args=(disk, place, over))
    words = ["retrain", *settings(corpus, place, *SLOW)]
    filling.start()
    try:
        failed = w2v(*words, env=server)
    finally:
        over.set()
        filling.join()

    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "the disk is full" in failed.stderr
    assert "w2v gc" in failed.stderr or "Free some space" in failed.stderr  # in the store, or in MLflow
    assert "Traceback" not in failed.stderr

    (disk / "filler").unlink()
    done = w2v(*words, env=server)
    assert done.returncode == 0, done.stderr
    assert statuses(place) == ["FINISHED"]
    assert not list(place.rglob("*.partial"))


def fill(disk: Path, place: Path, over: threading.Event) -> None:
    """Once there is a checkpoint, take all the room, and what is given back, until the command has ended."""
    while not list(place.glob("store/training/*/checkpoints/*/state.json")):
        if over.wait(0.02):
            return
    with (disk / "filler").open("wb", buffering=0) as filler:
        size = 1 << 20
        while not over.is_set():
            try:
                filler.write(bytes(size))
            except OSError:
                size = max(size // 2, 4_096)
                over.wait(0.001)
