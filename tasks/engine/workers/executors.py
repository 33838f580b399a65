"""The engines that run calls: threads, processes of this machine, or a Dask cluster, behind one `Executor`.

Which of them runs a call, how often it was lost and in which order calls end changes no result: a call is a pure
function of references, its output exists if and only if its manifest does, and results and errors are taken in order.
"""

import atexit
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from configs.loading import ConfigError
from configs.schema import Runtime
from tasks.engine.workers import call
from tasks.engine.workers.call import Answer, Report
from tasks.engine.workers.processes import Processes, WorkerLost
from tasks.errors import EngineError

MANY = 8  # calls at once, from which a process a core pays
TRIES = 3  # of a call, before its stage fails
AHEAD = 3  # calls for each worker that are computed, under way or waiting, from the one whose turn it is
POLL = 0.2  # seconds between two reports of progress
IDLE = 20.0  # seconds without a call after which the workers are ended: a training needs their memory
_IDLE: dict[tuple[object, ...], "Engine"] = {}  # engines whose workers wait for the next stage
_LOCK = threading.Lock()  # for these

Progress = dict[int, tuple[float, float, str]]  # of each call that has begun, by its number: done, total and text
log = logging.getLogger("w2v")


class Choice(NamedTuple):
    """An engine, and how many calls it runs at once."""

    engine: str
    workers: int  # 0 for a cluster that runs already: it has workers of its own

    def __str__(self) -> str:
        if not self.workers:
            return f"{self.engine}, the workers of its cluster"
        one, many = {"threads": ("thread", "threads"), "processes": ("process", "processes")}.get(
            self.engine, ("worker", "workers")
        )
        return f"{self.workers} {one if self.workers == 1 else many}" + (" of Dask" if self.engine == "dask" else "")


class Call(NamedTuple):
    """A call, as a function for threads, and as text for every other engine."""

    name: str  # for messages, such as `tokenization, part 3 of 12`
    make: Callable[[Report, int], Answer]  # called with the report and the number of threads
    text: Callable[[], str]


class Stopped(BaseException):
    """The command is ending. Raised by the report within a call that a thread runs."""


def choice(runtime: Runtime, calls: int) -> Choice:
    """Return the engine for so many calls at once: the config's; else processes if there are cores and enough calls."""
    cores = runtime.threads or os.cpu_count() or 1
    engine = runtime.engine or ("processes" if cores > 2 and calls >= MANY else "threads")
    return Choice(engine, 0 if runtime.engine_address else runtime.workers or cores)


def check(runtime: Runtime) -> None:
    """Raise ConfigError if the engine cannot be used as the config says; start nothing."""
    if runtime.engine != "dask":
        return
    if find_spec("distributed") is None:
        raise ConfigError(
            "runtime.engine = 'dask'\nexpected  the extra `dask`\nfound     no package `distributed`\n"
            "Install it: pip install 'w2v-retraining[dask]'. Or choose another engine."
        )
    if runtime.engine_address and not runtime.remote and not _here(runtime.engine_address):
        raise ConfigError(
            f"runtime.engine_address = {runtime.engine_address!r}\n"
            "expected  runtime.remote, a store that this host shares with the workers of another one\n"
            "found     none\nSet it, such as --set runtime.remote=s3://bucket/prefix."
        )


def _here(address: str) -> bool:
    """Return True if an address is one of this host."""
    host = urlsplit(address).hostname or ""
    own = {each.address for every in psutil.net_if_addrs().values() for each in every}
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found & own)


def ordered(calls: Sequence[Call], runtime: Runtime, report: Callable[[Progress], None]) -> Iterator[Answer]:
    """Yield the answer of each call, in the order of the calls, whichever ends first. A call that is lost runs again.

    Raises the error of a call when its turn comes, and EngineError if it failed three times or the engine is lost.
    However this ends, no call is left running.
    """
    with _used(choice(runtime, len(calls)), runtime) as engine:
        yield from _Turns(calls, engine, report)


class _Turns:
    """Calls under way, and those that have ended before their turn."""

    def __init__(self, calls: Sequence[Call], engine: "Engine", report: Callable[[Progress], None]) -> None:
        self._calls, self._engine, self._report = calls, engine, report
        self._under_way: dict[Future[Any], int] = {}
        self._ended: dict[int, Answer | BaseException] = {}
        self._tries = [0] * len(calls)
        self._progress: Progress = {}

    def __iter__(self) -> Iterator[Answer]:
        for turn in range(len(self._calls)):
            for number in range(turn, min(turn + AHEAD * self._engine.workers, len(self._calls))):
                if not self._tries[number]:
                    self._submit(number)
            while turn not in self._ended:
                self._wait()
            found = self._ended.pop(turn)
            if isinstance(found, BaseException):
                raise found
            yield found

    def _submit(self, number: int) -> None:
        def report(done: float, total: float, text: str) -> None:
            self._progress[number] = (done, total, text)

        self._tries[number] += 1
        self._under_way[self._engine.submit(self._calls[number], report)] = number

    def _wait(self) -> None:
        done, _ = wait(self._under_way, POLL, FIRST_COMPLETED)
        for future in done:
            number = self._under_way.pop(future)
            try:
                self._ended[number] = self._engine.answer(future)
                self._progress[number] = (1.0, 1.0, "")
            except (WorkerLost, call.Broken, MemoryError) as error:
                self._again(number, error)
            except Exception as error:  # raised when its turn comes
                self._ended[number] = error
        self._engine.check()
        self._report(dict(self._progress))  # a copy: threads add to it

    def _again(self, number: int, error: Exception) -> None:
        name, said = self._calls[number].name, str(error) or type(error).__name__
        if self._tries[number] < TRIES:
            log.warning("%s runs again: %s", name, said.splitlines()[-1])
            self._submit(number)
            return
        failure = EngineError(
            f"{name} failed {TRIES} times\nexpected  its output\nfound     {said}\n"
            "If memory is short, use fewer workers: --set runtime.workers=N. The same command goes on."
        )
        failure.__cause__ = error
        self._ended[number] = failure


class Engine:
    """An executor to which calls go as text."""

    def __init__(self, executor: Executor, workers: int) -> None:
        self._executor, self.workers = executor, workers

    def submit(self, each: Call, report: Report) -> Future[Any]:
        """Return the future of a call."""
        return self._executor.submit(call.run, each.text(), report)

    def answer(self, future: Future[Any]) -> Answer:
        """Return the answer of a call that has ended. Raises its error."""
        return call.answered(future.result())

    def check(self) -> None:
        """Raise EngineError if the engine itself is lost."""

    def stop(self) -> None:
        """End all calls at once, and the workers."""
        self._executor.shutdown(cancel_futures=True)

    def close(self) -> None:
        """End the workers, which have no call."""
        self._executor.shutdown()


class Threads(Engine):
    """Threads of this process, to which calls go as functions: NumPy and pyarrow release the GIL."""

    def __init__(self, workers: int, threads: int) -> None:
        super().__init__(ThreadPoolExecutor(workers), workers)
        self._stopping = threading.Event()
        self._each = max(1, threads // workers)

    def submit(self, each: Call, report: Report) -> Future[Any]:
        def stoppable(done: float, total: float, text: str) -> None:
            if self._stopping.is_set():
                raise Stopped
            report(done, total, text)

        return self._executor.submit(each.make, stoppable, self._each)

    def answer(self, future: Future[Any]) -> Answer:
        found: Answer = future.result()
        return found

    def stop(self) -> None:
        self._stopping.set()
        super().stop()


@contextmanager
def _used(chosen: Choice, runtime: Runtime) -> Iterator[Engine]:
    """Yield the engine, with the workers of the stage before if they still wait; end them at once after an error."""
    key = (chosen, runtime.engine_address, runtime.portable, os.environ.get("TMPDIR"))
    with _LOCK:
        engine = _IDLE.pop(key, None)
    engine = engine or _start(chosen, runtime)
    try:
        yield engine
    except BaseException:
        engine.stop()
        raise
    if isinstance(engine, Threads):
        engine.close()
        return
    with _LOCK:
        former, _IDLE[key] = _IDLE.get(key), engine
    if former:
        former.close()
    timer = threading.Timer(IDLE, _end, [key, engine])
    timer.daemon = True
    timer.start()


def _start(chosen: Choice, runtime: Runtime) -> Engine:
    if chosen.engine == "threads":
        return Threads(chosen.workers, runtime.threads or os.cpu_count() or 1)
    if chosen.engine == "processes":
        return Engine(Processes(chosen.workers), chosen.workers)
    from tasks.engine.workers import dask_cluster

    return dask_cluster.Cluster(chosen.workers, runtime)


def _end(key: tuple[object, ...], engine: Engine) -> None:
    """End an engine's workers if they have been idle since."""
    with _LOCK:
        if _IDLE.get(key) is not engine:
            return
        del _IDLE[key]
    engine.close()


@atexit.register
def end_idle() -> None:
    """End all workers that wait for calls."""
    with _LOCK:
        engines = list(_IDLE.values())
        _IDLE.clear()
    for engine in engines:
        engine.close()
