"""A lock that another process holds: the wait is logged, and ends with the lock."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import Timeout

from tasks.engine import file_lock
from tasks.engine.file_lock import LOCKS, Held, holder

HOLD = "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]).acquire(); print(flush=True); input()"


@pytest.fixture
def other(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that holds the lock until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def test_a_wait_is_logged(
    other: "subprocess.Popen[str]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line names the file and the process; then the lock is acquired."""
    monkeypatch.setattr(file_lock, "SOON", 0.2)
    said = file_lock.log.warning
    monkeypatch.setattr(file_lock.log, "warning", lambda *words: (said(*words), other.kill()))
    with Held(tmp_path / ".lock") as lock:
        held = lock.is_locked

    assert held
    who = f"process {other.pid}" if LOCKS.exists() else "another process"
    assert [record.getMessage() for record in caplog.records] == [
        f"waiting for {tmp_path / '.lock'}, which {who} holds …"
    ]


def test_no_wait_logs_nothing(other: "subprocess.Popen[str]", tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged with a time limit of the caller's, or when the lock is free."""
    with pytest.raises(Timeout):
        Held(tmp_path / ".lock").acquire(timeout=0)
    with pytest.raises(Timeout):
        Held(tmp_path / ".lock", timeout=0).acquire()
    with Held(tmp_path / "free.lock"):
        pass

    assert not caplog.records


@pytest.mark.skipif(not LOCKS.exists(), reason="the system does not tell")
def test_the_holder_is_known(tmp_path: Path) -> None:
    """The holder is found by the file itself, not its name; a file without a lock, or a missing file, has none."""
    with Held(tmp_path / ".lock"):
        os.link(tmp_path / ".lock", tmp_path / "other")
        found = [holder(tmp_path / name) for name in (".lock", "other", "none")]

    assert found == [f"process {os.getpid()}", f"process {os.getpid()}", "another process"]
