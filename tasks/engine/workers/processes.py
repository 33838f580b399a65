"""Worker processes of this machine behind the interface of `concurrent.futures.Executor`.

Each thread of the pool has one worker process of its own, which it starts when it has its first call, and again after
the worker was lost. Calls and answers are lines of JSON. A worker is in a process group of its own, so that Ctrl-C at
a terminal reaches the command alone, and it ends with the command, even after SIGKILL: its input is closed then.
"""

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from tasks.engine.environment import MODULE

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
CHILD = "tasks.engine.workers.child"  # the module that a worker process runs
LAST = 2_000  # bytes of what a lost worker wrote to its standard error
PATIENCE = 5.0  # seconds for a worker to end after its input was closed


class WorkerLost(Exception):
    """A worker ended without an answer: it was killed, or the system had no memory for it."""


class Processes(ThreadPoolExecutor):
    """An executor for texts: `submit(run, text, report)` runs the call `text` on a worker, whatever `run` is."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers, thread_name_prefix="w2v-worker")
        self._own = threading.local()
        self._every: list[Worker] = []
        self._closed = False

    def submit(self, run: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Return the future answer to the call in `arguments`: its text and the report."""
        return super().submit(self._ask, *arguments)

    @property
    def pids(self) -> list[int]:
        """Return the workers' process numbers."""
        return [worker.pid for worker in self._every if worker.alive]

    def _ask(self, text: str, report: Callable[[float, float, str], None]) -> str:
        worker = getattr(self._own, "worker", None)
        if worker is None or not worker.alive:
            if self._closed:
                raise WorkerLost("the command is ending")
            worker = self._own.worker = Worker()
            self._every.append(worker)
        return str(worker.ask(text, report))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers, at once if the futures are cancelled; return when they have ended."""
        self._closed = cancel_futures
        if cancel_futures:
            for worker in self._every:
                worker.end(patience=0)
        super().shutdown(wait=True, cancel_futures=cancel_futures)
        for worker in self._every:
            worker.end()
            worker.close()


class Worker:
    """A child process that runs calls."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
        self._process = subprocess.Popen(
            [*MODULE, CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env=os.environ | ONE_THREAD,
            process_group=0,
        )
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        """Return True if the process runs."""
        return self._process.poll() is None

    def ask(self, text: str, report: Callable[[float, float, str], None]) -> str:
        """Return the answer to a call. Raises WorkerLost if the worker ends before."""
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError, ValueError):  # then it has ended, or is being ended
            self._process.stdin.write(json.dumps(text) + "\n")
            self._process.stdin.flush()
            for line in self._process.stdout:
                kind, what = json.loads(line)
                if kind == "answer":
                    return str(what)
                report(*what)
        raise WorkerLost(self._last_words())

    def end(self, patience: float = PATIENCE) -> None:
        """Close the worker's input, and kill it if it still runs after `patience` seconds."""
        if not patience:
            self._process.kill()
        with suppress(OSError, ValueError):
            if self._process.stdin and not self._process.stdin.closed:
                self._process.stdin.close()
        try:
            self._process.wait(patience or None)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Close what was open for the worker, which has ended."""
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(OSError):
                if stream:
                    stream.close()

    def _last_words(self) -> str:
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        with suppress(OSError, ValueError):
            size = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, size - LAST))
            if said := self._errors.read().decode(errors="replace").strip():
                how += f": {said}"
        return f"worker process {self.pid} {how}"
