"""A workspace on a disk that is full, slow or read-only: what commands say of it, and how they go on."""

import os
import shutil
import sqlite3
import subprocess
import sys
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
from tests.integration.test_cli import client, settings, statuses, w2v
from tests.integration.test_closed_terminal import SLOW
from tests.support.disks import small_disk
from tests.support.paths import PROJECT

# a library that is loaded before the C library: each file is written through a fifth of a second late, and counted
LATE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int late(const char *name, int file) {
    int count = open(getenv("W2V_COUNT"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (count >= 0) { if (write(count, ".", 1) < 0) abort(); close(count); }
    usleep(200000);
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(file);
}
int fsync(int file) { return late("fsync", file); }
int fdatasync(int file) { return late("fdatasync", file); }
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """One of 40 MB."""
    with small_disk(tmp_path / "disk", 40) as place:
        yield place


@pytest.mark.usefixtures("prefect_server")
def test_a_disk_that_cannot_be_written(own: Path, corpus: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command that writes there names the cause and the next step; one that only reads may do its work."""
    place = disk / "ws"
    shutil.copytree(own, place)
    code = "import sys; from tests.support.retraining import retrain\n"
    code += "for seed in (1, 2): retrain([*sys.argv[1:], f'seed={seed}'])"
    made = [sys.executable, "-c", code, *settings(corpus, place)[1::2]]
    subprocess.run(made, cwd=PROJECT, check=True)  # another process: this one has none of its files open
    with closing(sqlite3.connect(place / "mlflow.db")) as database:
        runs = [run for (run,) in database.execute("SELECT run_uuid FROM runs")]
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    monkeypatch.setattr(scratch, "settle", lambda workspace: None)  # it would last as long as the tests
    named, config = ["--workspace", str(place)], settings(corpus, place)
    readers = [["verify", runs[0]], ["history"], ["neighbors", "seaa"], ["compare", *runs]]
    writers = [["gc"], ["gc", "--dry-run"], ["sync"], ["promote", "1"]]
    writing = [["retain", *config], ["reconcile", *config], ["retrain", *config, "--set", "seed=3"]]
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    said = [(" ".join(words), *told([*words, *named])) for words in readers]
    refused = [(" ".join(words[:2]), *told(words)) for words in [*(each + named for each in writers), *writing]]

    assert not [each for each in refused if "cannot be written" not in each[2] or "Make it writable" not in each[2]]
    assert not [each for each in refused if each[1] != 1]
    assert not [each for each in said if each[1:] != (0, "") and (each[1] != 1 or "cannot be written" not in each[2])]


def told(words: list[str]) -> tuple[int, str]:
    """Return a command's exit code and the message of its error, "" if there is none."""
    result = CliRunner().invoke(app, words)
    failed = result.exception if isinstance(result.exception, Exception) else None
    return (main._code(failed), main._message(failed)) if failed else (result.exit_code, "")


@pytest.mark.long
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


@pytest.mark.long
def test_a_slow_disk_is_not_a_broken_one(own: Path, corpus: Path, tmp_path: Path) -> None:
    """A retraining and its temporary server take longer, and end well and complete, without a warning."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("what slows the disk down has to be compiled, and there is no C compiler")
    library, count = tmp_path / "late.so", tmp_path / "count"
    words = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"]
    subprocess.run(words, input=LATE, text=True, check=True)
    slow = {"LD_PRELOAD": str(library), "W2V_COUNT": str(count), "PREFECT_HOME": str(tmp_path / "prefect")}
    done = w2v("retrain", *settings(corpus, own), env=os.environ | slow)

    assert done.returncode == 0, done.stderr
    assert "⚠" not in done.stderr
    (run,) = client(own).search_runs(["1"])
    assert run.info.status == "FINISHED"
    assert "prefect.missing" not in run.data.tags
    assert count.stat().st_size > 100
