"""A terminal that is closed, and shells that have signals ignored: how a retraining ends then."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from prefect.settings import PREFECT_API_URL

from tests.flows.test_cli import PROJECT, W2V, checkpoints, settings, statuses, wait_until

# single windows are slow enough to be caught at it
SLOW = ["training.batch_size=1", "training.epochs=6", "runtime.checkpoint_interval=0.2"]


class Terminal:
    """A pseudo-terminal with one command in it; what it shows is copied to the log."""

    def __init__(self, log: Path) -> None:
        self._ours, self._theirs = pty.openpty()
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._copy, args=(log,))
        log.touch()

    def start(self, *words: str | Path, **environment: str) -> subprocess.Popen[bytes]:
        """The command, which has this as its controlling terminal."""
        process = subprocess.Popen(
            [*map(str, words)], cwd=PROJECT, env=os.environ | environment, start_new_session=True,
            stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
            preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(self._theirs)
        self._reader.start()
        return process

    def close(self) -> None:
        self._closing.set()
        self._reader.join()
        os.close(self._ours)

    def _copy(self, log: Path) -> None:
        with log.open("ab", buffering=0) as stream:
            while not self._closing.is_set():
                if select.select([self._ours], [], [], 0.1)[0]:
                    try:
                        stream.write(os.read(self._ours, 4096))
                    except OSError:  # the command has ended
                        return


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """However the test ends."""
    try:
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("before", ["in training", pytest.param("between stages", marks=pytest.mark.long)])
def test_a_closed_terminal_leaves_a_checkpoint_and_a_killed_run(
    before: str, own: Path, corpus: Path, tmp_path: Path
) -> None:
    """As SIGTERM does: exit code 130, although nothing can be written any more, and no server that outlives it."""
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


@pytest.mark.usefixtures("prefect_server")
def test_what_is_ignored_at_the_start_stays_ignored(own: Path, corpus: Path, tmp_path: Path) -> None:
    """SIGHUP under nohup, SIGINT in what a script starts with `&`: it works on, and SIGTERM alone ends it well."""
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
