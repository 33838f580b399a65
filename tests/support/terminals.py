"""Terminals that a test closes."""

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

from tests.support.paths import PROJECT


class Terminal:
    """A pseudo-terminal with one command; its output is copied to the log."""

    def __init__(self, log: Path) -> None:
        self._ours, self._theirs = pty.openpty()
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._copy, args=(log,))
        log.touch()

    def start(self, *words: str | Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start the command with this as its controlling terminal."""
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
    """End the command, however the test ends."""
    try:
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
