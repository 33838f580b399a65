"""The engines that run calls: threads, processes of this machine, or a Dask cluster, behind one `Executor`."""

import atexit
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from configs.schema import Runtime
from tasks.engine.workers import call
from tasks.engine.workers.call import Answer, Report
from tasks.engine.workers.choice import Choice
from tasks.engine.workers.processes import Processes

IDLE = 20.0  # seconds without a call after which the workers are ended: a training needs their memory
_LOCK = threading.Lock()  # for _IDLE


class Call(NamedTuple):
    """A call, as a function for threads, and as text for every other engine."""

    name: str  # for messages, such as `tokenization, part 3 of 12`
    make: Callable[[Report, int], Answer]  # called with the report and the number of threads
    text: Callable[[int], str]  # called with the number of threads


class Stopped(BaseException):
    """The command is ending. Raised by the report within a call that a thread runs."""


class Engine:
    """An executor to which calls go as text."""

    def __init__(self, executor: Executor, workers: int, threads: int = 1) -> None:
        """Let each worker use so many threads."""
        self._executor, self.workers, self._each = executor, workers, threads

    def submit(self, each: Call, report: Report) -> Future[Any]:
        """Return the future of a call."""
        return self._executor.submit(call.run, each.text(self._each), report)

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
        super().__init__(ThreadPoolExecutor(workers), workers, threads)
        self._stopping = threading.Event()

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


class Idle(NamedTuple):
    """An engine whose workers wait for the next stage, and what ends them unless one comes."""

    engine: Engine
    timer: threading.Timer


_IDLE: dict[tuple[object, ...], Idle] = {}


@contextmanager
def used(chosen: Choice, runtime: Runtime) -> Iterator[Engine]:
    """Yield the engine, with the workers of the stage before if they still wait; end them at once after an error."""
    key = (chosen, runtime.threads, runtime.engine_address, runtime.portable, os.environ.get("TMPDIR"))
    engine = _taken(key) or _start(chosen, runtime)
    try:
        yield engine
    except BaseException:
        engine.stop()
        raise
    if isinstance(engine, Threads):
        engine.close()
    else:
        _let_wait(key, engine)


def _start(chosen: Choice, runtime: Runtime) -> Engine:
    cores = runtime.threads or os.cpu_count() or 1
    if chosen.engine == "threads":
        return Threads(chosen.workers, max(1, cores // chosen.workers))
    if chosen.engine == "processes":
        return Engine(Processes(chosen.workers), chosen.workers, max(1, cores // chosen.workers))
    from tasks.engine.workers import dask_cluster

    return dask_cluster.Cluster(chosen.workers, runtime)


def _taken(key: tuple[object, ...]) -> Engine | None:
    """Return the engine of this kind that waits, which now waits no longer."""
    with _LOCK:
        found = _IDLE.pop(key, None)
    if not found:
        return None
    found.timer.cancel()
    return found.engine


def _let_wait(key: tuple[object, ...], engine: Engine) -> None:
    """Keep an engine for the next stage that uses it, for IDLE seconds."""
    timer = threading.Timer(IDLE, lambda: _end(key, waiting))
    timer.daemon = True
    waiting = Idle(engine, timer)
    with _LOCK:
        former, _IDLE[key] = _IDLE.get(key), waiting
    timer.start()
    if former:
        former.timer.cancel()
        former.engine.close()


def _end(key: tuple[object, ...], waiting: Idle) -> None:
    """End an engine's workers if they still wait: its timer may have run out as it was taken."""
    with _LOCK:
        if _IDLE.get(key) is not waiting:
            return
        del _IDLE[key]
    waiting.engine.close()


@atexit.register
def end_idle() -> None:
    """End all workers that wait for calls."""
    with _LOCK:
        every = list(_IDLE.values())
        _IDLE.clear()
    for waiting in every:
        waiting.timer.cancel()
        waiting.engine.close()
