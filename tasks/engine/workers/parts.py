"""The parts of a stage's output: run their calls, add up their progress, and accept their outputs."""

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from configs.schema import Runtime
from tasks.engine.store import Dataset
from tasks.engine.workers.call import Answer, Report
from tasks.engine.workers.choice import Choice, choice
from tasks.engine.workers.engines import Call
from tasks.engine.workers.turns import Progress, ordered
from tasks.errors import DeterminismError, EngineError


class Shares:
    """Reports the progress of calls as that of the whole output, in which each part weighs as much as its size."""

    def __init__(self, sizes: Sequence[float], numbers: Sequence[int], report: Report) -> None:
        """Let call `i` make the part `numbers[i]`; the other parts are there already."""
        self._sizes, self._numbers, self._report = sizes, numbers, report
        self._there = sum(sizes) - sum(sizes[number] for number in numbers)
        self.workers = ""  # shown behind the part; empty for threads

    def __call__(self, progress: Progress) -> None:
        """Report the progress of all calls that have begun."""
        if not progress:
            return
        done = sum(
            self._sizes[self._numbers[call]] * part / (total or 1) for call, (part, total, _) in progress.items()
        )
        at_work = [call for call, (part, total, _) in progress.items() if part < total] or [max(progress)]
        first = min(at_work)
        which = f"part {self._numbers[first] + 1} of {len(self._sizes)}" if len(self._sizes) > 1 else ""
        head = ", ".join(filter(None, [which, self.workers]))
        self._report(self._there + done, sum(self._sizes) or 1, ": ".join(filter(None, [head, progress[first][2]])))

    def alone(self, done: float, total: float, text: str) -> None:
        """Report the progress of the only call."""
        self({0: (done, total, text)})


def run(calls: Sequence[Call], runtime: Runtime, report: Shares) -> Iterator[Answer]:
    """Yield the answers of the calls, in order; a single call needs no engine, unless it is meant for a cluster."""
    if not calls:
        return
    chosen: Choice = choice(runtime, len(calls))
    if len(calls) == 1 and chosen.engine != "dask":
        yield calls[0].make(report.alone, 0)
        return
    if chosen.engine != "threads":
        report.workers = str(chosen)
    yield from ordered(calls, runtime, report)


def arrived(found: Dataset | None, answer: Answer, place: Path) -> Dataset:
    """Return the output that a worker has made, as this store has it at `place`.

    Raises EngineError if it has none, and DeterminismError if another worker has made another one with the same key.
    """
    here = socket.gethostname()
    if found is None:
        raise EngineError(
            f"{place} is not here\nexpected  the output that a worker on {answer.host} has made\n"
            f"found     nothing on {here}\n"
            "Workers need the workspace of the command, or a store that all share: set runtime.remote."
        )
    if found.digest != answer.digest:
        raise DeterminismError(
            f"{place}: the same work gave two results\nexpected  {found.digest}, which is in the store of {here}\n"
            f"found     {answer.digest}, made on {answer.host}\n"
            "One of the two hosts computes wrongly, or the stage is not deterministic. Delete the folder, test the "
            "memory of both, and report it if it happens again."
        )
    return found
