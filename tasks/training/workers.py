"""Workers: do calls in this process or in several, and return the results in the order of the calls.

A call is a module-level function and a JSON text, and pure, so a call that was lost with its worker is made again.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from types import TracebackType
from typing import Self

from configs.schema import Runtime, Training
from tasks.errors import TrainingError
from tasks.training import replica

TRIES = 3  # of one call
PULSE = 0.5  # seconds after which the caller may look around


def number(training: Training, runtime: Runtime) -> int:
    """Return how many workers a training has: at most one for each replica."""
    return min(training.replicas, runtime.workers or os.cpu_count() or 1)


def described(training: Training, runtime: Runtime) -> str:
    """Return who learns a training, for people."""
    count = number(training, runtime)
    where = f"{count} processes" if count > 1 else "one process, in turn"
    return (
        f"{training.replicas} replicas in {where}, combined {training.meetings:,} times after "
        f"{training.solo_windows:,} windows alone"
    )


class Workers:
    """One or several workers; with one, the calls are made in this process."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._pool: Executor | None = None
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all workers, whatever they are doing: what they would return is not wanted."""
        self._stopping.set()
        self._end()

    def results(
        self, work: Callable[[str], str], calls: Sequence[str], names: Sequence[str]
    ) -> Generator[None, None, list[str]]:
        """Return work(call) for each call, in order; yield about twice a second until then.

        Raises what `work` raises, and TrainingError if a call, one of `names`, is lost with its worker TRIES times.
        """
        done: dict[int, str] = {}
        tries = dict.fromkeys(range(len(calls)), 0)
        while len(done) < len(calls):
            missing = [number for number in tries if number not in done]
            for number in missing:
                tries[number] += 1
                if tries[number] > TRIES:
                    raise TrainingError(_lost(names[number]))
            try:
                pool = self._open()
                running: dict[Future[str], int] = {pool.submit(work, calls[number]): number for number in missing}
                while running:
                    ended, _ = wait(running, PULSE, FIRST_COMPLETED)
                    for future in ended:
                        done[running[future]] = future.result()
                        del running[future]
                    yield
            except BrokenProcessPool:
                self._end()
        return [done[number] for number in range(len(calls))]

    def _open(self) -> Executor:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")  # a copy of this process could inherit a held lock
            context.set_forkserver_preload([replica.__name__])
            self._pool = (
                ProcessPoolExecutor(self.number, context, initializer=_begin)
                if self.number > 1
                else ThreadPoolExecutor(1, initializer=replica.stoppable, initargs=(self._stopping,))
            )
        return self._pool

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        if isinstance(pool, ProcessPoolExecutor):
            for process in list((pool._processes or {}).values()):
                with contextlib.suppress(OSError):  # it has ended
                    process.kill()
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Prepare a worker: Ctrl-C is for its parent to act on, and with its parent it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _lost(name: str) -> str:
    return (
        f"{name} was lost with its worker {TRIES} times\nexpected  a result\n"
        "found     a process that ended early, perhaps for lack of memory\n"
        "What is learnt so far is kept. Use fewer runtime.workers, and run the command again."
    )
