"""Calls in order: which engine runs a call, how often it was lost and in which order calls end changes no result.

A call is a pure function of references, its output exists if and only if its manifest does, and results and errors are
taken in order.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from configs.schema import Runtime
from tasks.engine.workers import call
from tasks.engine.workers.call import Answer
from tasks.engine.workers.choice import choice
from tasks.engine.workers.engines import Call, Engine, used
from tasks.engine.workers.processes import WorkerLost
from tasks.errors import EngineError

TRIES = 3  # of a call, before its stage fails
AHEAD = 3  # calls for each worker that are computed, under way or waiting, from the one whose turn it is
POLL = 0.2  # seconds between two reports of progress

Progress = dict[int, tuple[float, float, str]]  # of each call that has begun, by its number: done, total and text
log = logging.getLogger("w2v")


def ordered(calls: Sequence[Call], runtime: Runtime, report: Callable[[Progress], None]) -> Iterator[Answer]:
    """Yield the answer of each call, in the order of the calls, whichever ends first. A call that is lost runs again.

    Raises the error of a call when its turn comes, and EngineError if it failed three times or the engine is lost.
    However this ends, no call is left running.
    """
    with used(choice(runtime, len(calls)), runtime) as engine:
        yield from _Turns(calls, engine, report)


class _Turns:
    """Calls under way, and those that have ended before their turn."""

    def __init__(self, calls: Sequence[Call], engine: Engine, report: Callable[[Progress], None]) -> None:
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
