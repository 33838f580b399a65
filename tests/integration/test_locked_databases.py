"""Prefect's database locked by another process: commands wait for it, say so, and use it as soon as it is free."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from tests.integration.test_cli import PROJECT, QUICK, W2V, client, settings
from tests.integration.test_service import Box, until

LOCK = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print(flush=True)
sys.stdin.read()
"""
MINUTE = 65.0  # seconds: longer than the server itself waits
REPLACED = "is locked by another process; another takes its place"


@contextmanager
def locked(database: Path) -> Iterator[Callable[[], None]]:
    """Lock the database from another process; give the function that releases it."""
    words = [sys.executable, "-c", LOCK, str(database)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            assert process.stdout.readline() == b"\n"
            yield process.stdin.close
        finally:
            process.kill()


@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_temporary_server_waits(long: bool, own: Path, corpus: Path, tmp_path: Path) -> None:
    """The retraining says so, and ends well and on Prefect's page, also if a server has given up after a minute."""
    home, log = tmp_path / "prefect", tmp_path / "log"
    home.mkdir()
    with locked(home / "prefect.db") as let_go, log.open("wb") as stream:
        process = subprocess.Popen(
            [W2V, "retrain", *settings(corpus, own)], cwd=PROJECT, stdout=stream, stderr=stream,
            env=os.environ | {"PREFECT_HOME": str(home)},
        )  # fmt: skip
        try:
            until(lambda: "waiting for the temporary Prefect server" in log.read_text())
            time.sleep(MINUTE if long else 15)
            until(lambda: not long or REPLACED in log.read_text())  # it may start slowly
            assert not list(own.glob("store/*"))
            let_go()

            assert process.wait(600) == 0, log.read_text()
        finally:
            process.kill()
    (run,) = client(own).search_runs(["1"])
    assert run.info.status == "FINISHED"
    assert "prefect.missing" not in run.data.tags
    assert (REPLACED in log.read_text()) == long


class Open(Box):
    """The user has given no password."""

    passwords: ClassVar[dict[str, str]] = {}


@pytest.mark.long
def test_a_service_waits(corpus: Path, tmp_path: Path) -> None:
    """When it starts, which says so, and while a flow run of its worker is at work."""
    box = Open(tmp_path, corpus)
    database = box.workspace / "prefect" / "prefect.db"
    database.parent.mkdir(parents=True)
    said = tmp_path / "said"
    try:
        with locked(database) as let_go, said.open("wb") as stream:
            words = [W2V, "up", "topics.toml", "--workspace", "ws", *box.ports]
            process = subprocess.Popen(words, cwd=tmp_path, env=box.environment, stdout=stream, stderr=stream)
            until(lambda: "its database is locked by another process; it is restarted" in said.read_text())
            assert process.poll() is None
            let_go()
            assert process.wait(600) == 0, said.read_text()
        box.w2v("retrain", "topics.toml")
        command = [
            W2V,
            "retrain",
            "topics.toml",
            *(word for each in QUICK for word in ("--set", each)),
            "--set",
            "seed=2",
        ]
        with subprocess.Popen(command, cwd=tmp_path, env=box.environment) as retraining:
            until(lambda: "RUNNING" in {status for _, status in box.runs()})
            with locked(database) as let_go:
                time.sleep(MINUTE)
                let_go()
            assert retraining.wait(600) == 0

        until(lambda: {status for _, status in box.runs()} == {"FINISHED"})
        assert len(box.runs()) == 2
        assert box.status().count("✓") >= 3
        assert box.place.state.lives["prefect"].starts > 1
        box.w2v("down", "--workspace", "ws")
    finally:
        for each in box.place.processes():
            each.kill()
