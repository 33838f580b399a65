"""One part of the service while it is looked after: started, asked, restarted, stopped."""

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress

import psutil

from flows.service.components import Component
from flows.service.copied import Copied, lines_of
from flows.service.health import answers, hangs
from flows.service.progress import Progress
from flows.service.state import ATTEMPTS, MARK, Life, Place, State
from tasks.refusals import Refusal

log = logging.getLogger("w2v.service")

START = 180  # the limit of Progress, in seconds, until a part has to answer
ASKED = 10  # health checks within the limit before a part counts as hung
STOP = 60  # the limit of Progress, in seconds, for a training to write its checkpoint and for a server to end
SOON, LATE = 1, 60  # seconds before a restart: at first, and at most; doubled each time that a part dies early
BACKLOG = 2048  # connections that may wait until a server accepts them


class Supervised:
    """One part, and its current process.

    A server listens on the supervisor's socket. So while it is down, no other account can take its port and receive the
    clients' passwords; requests wait until it is up again.
    """

    def __init__(
        self, part: Component, place: Place, state: State, patience: float, listening: socket.socket | None = None
    ) -> None:
        self.name, self._socket = part.name, listening
        self._part, self._place, self._state, self._patience = part, place, state, patience
        self._process: subprocess.Popen[str] | None = None
        self._copied, self._copying = Copied(lambda line: None), threading.Thread()
        self._asked, self._heard, self._limit = 0.0, 0.0, float(START)
        self.progress = Progress(START, self._processes)
        self._due, self._delay = 0.0, float(SOON)

    def start(self) -> None:
        """Start a process for the part, and copy its output into the log."""
        if self.name == "worker":
            self._place.sweep(ATTEMPTS)  # left behind by a killed worker
        self._place.temporary.mkdir(parents=True, exist_ok=True)
        self._place.temporary.chmod(0o700)
        ours = {MARK: str(self._place.folder), "TMPDIR": str(self._place.temporary)}
        self._process = subprocess.Popen(
            self._part.command,
            env=os.environ | self._part.environment | ours,
            stdin=self._socket.fileno() if self._socket else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        self._asked = self._heard = time.monotonic()
        self._limit = float(START)  # until it has answered once
        self.progress.renew(self._limit)
        self._copied = Copied(lambda line: log.info("%-7s | %s", self.name, line))
        self._copying = threading.Thread(target=self._copy, args=(self._process, self._copied), daemon=True)
        self._copying.start()
        before = self._state.lives.get(self.name)
        starts, ended = (before.starts + 1, before.ended) if before else (1, "")
        self._state.lives[self.name] = Life(self._process.pid, time.time(), starts, ended)
        self._place.write(self._state)
        log.info("%s started as process %d", self.name, self._process.pid)

    def _copy(self, process: "subprocess.Popen[str]", copied: Copied) -> None:
        assert process.stdout
        with process.stdout as output:
            for line in lines_of(output):
                copied.line(line)
        copied.tell()

    @property
    def ended(self) -> str:
        """Return how the process has ended, or "" if it runs."""
        code = self._process.poll() if self._process else None
        if code is None:
            return ""
        if code < 0:
            return f"killed by signal {-code}"
        cause = self._cause
        return f"ended with exit code {code}" + (f": its database {cause.what}" if cause else "")

    @property
    def cause_passes(self) -> bool:
        """Return True if the process has ended for a temporary cause, such as a locked database."""
        cause = self._cause if self.ended else None
        return cause is not None and cause.passes

    @property
    def _cause(self) -> Refusal | None:
        """Return the cause in a server's last lines; the worker has no database."""
        if not self._socket:
            return None
        self._copying.join(SOON)  # its last lines may not be copied yet
        return self._copied.cause

    def answers(self) -> bool:
        """Return True if the part answers; from then on, its patience is the limit."""
        if self.ended or not answers(self._state, self.name):
            return False
        self._note()
        return True

    def look_after(self) -> None:
        """Restart the part if it has ended or hangs, with a growing delay if that repeats."""
        if not (ended := self.ended or self._silence()):
            return
        life = self._state.lives[self.name]
        if not self._due:
            self._give_up()
            old = time.time() - life.since > LATE
            self._delay = SOON if old else min(2 * self._delay, LATE)
            self._due = time.monotonic() + self._delay
            life.ended, life.pid = ended, 0
            self._place.write(self._state)
            log.warning("%s: %s, to be restarted in %d s", self.name, ended, self._delay)
        elif time.monotonic() > self._due:
            self._due = 0.0
            self.start()

    def _silence(self) -> str:
        """Return a message if the part has not answered for too long, else ""."""
        now = time.monotonic()
        if now - self._asked < self._limit / ASKED:
            return ""
        self._asked = now
        if not hangs(self._state, self.name):
            self._note()
            return ""
        return f"no answer for {now - self._heard:.0f} s" if self.progress.over() else ""

    def _note(self) -> None:
        """Record an answer, and lengthen the queue of waiting connections, which the server has shortened."""
        self._heard, self._limit = time.monotonic(), self._patience
        self.progress.renew(self._limit)
        if self._socket:
            self._socket.listen(BACKLOG)

    def _processes(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            return [psutil.Process(self._process.pid)] if self._process else []
        return []

    def _give_up(self) -> None:
        """End the part's processes: children of a hung worker write their checkpoints; all others are killed."""
        assert self._process
        if not self.ended:
            end(psutil.Process(self._process.pid).children(recursive=True))
        self._kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop the part, its children first: a training writes its checkpoint and reports its end to the servers."""
        if self._process and not self.ended:
            process = psutil.Process(self._process.pid)
            end(process.children(recursive=True))
            end([process])
            self._process.wait()
        self._kill()

    def _kill(self) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def end(processes: list[psutil.Process]) -> None:
    """Terminate the processes, and kill those that do not end."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    left = processes
    progress = Progress(STOP, lambda: left)
    while left := psutil.wait_procs(left, timeout=SOON)[1]:
        if progress.over():
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            return
