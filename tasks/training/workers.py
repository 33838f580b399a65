"""Workers: do calls in this process or in several, and return the results in the order of the calls.

A call is a module-level function and a JSON text, and pure, so a call that was lost with its worker is made again.
"""

import os
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from configs.schema import Runtime, Training
from tasks.engine.workers import call
from tasks.engine.workers.processes import Processes, WorkerLost
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
        self._stopping = threading.Event()
        self._processes = number > 1
        self._pool = (
            Processes(number)
            if self._processes
            else ThreadPoolExecutor(1, initializer=replica.stoppable, initargs=(self._stopping,))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all workers, whatever they are doing: what they would return is not wanted."""
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)

    def results(
        self, work: Callable[[str], str], calls: Sequence[str], names: Sequence[str]
    ) -> Generator[None, None, list[str]]:
        """Return work(call) for each call, in order; yield about twice a second until then.

        Raises the PipelineError that `work` raises, and TrainingError if a call, one of `names`, is lost with its
        worker, or fails in a way that nobody foresaw, TRIES times.
        """
        done: dict[int, str] = {}
        tries = [1] * len(calls)
        running = {self._submit(work, each): number for number, each in enumerate(calls)}
        while running:
            ended, _ = wait(running, PULSE, FIRST_COMPLETED)
            for future in ended:
                number = running.pop(future)
                try:
                    done[number] = self._answer(future)
                except (WorkerLost, call.Broken) as error:
                    tries[number] += 1
                    if tries[number] > TRIES:
                        raise TrainingError(_lost(names[number], error)) from error
                    running[self._submit(work, calls[number])] = number
            yield
        return [done[number] for number in range(len(calls))]

    def _submit(self, work: Callable[[str], str], text: str) -> Future[str]:
        if self._processes:
            return self._pool.submit(call.run, call.of_function(work, text), lambda *progress: None)
        return self._pool.submit(work, text)

    def _answer(self, future: Future[str]) -> str:
        return call.answered(future.result()).digest if self._processes else future.result()


def _lost(name: str, error: Exception) -> str:
    return (
        f"{name} was lost {TRIES} times\nexpected  a result\nfound     {error}\n"
        "What is learnt so far is kept. Use fewer runtime.workers, and run the command again."
    )
