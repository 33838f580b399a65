"""Training by replicas: in each round they learn apart, each from its slice of the windows, and then meet.

Between two meetings θ is a mapped file that all workers read; each replica writes a file of its own, and the meeting
writes the next θ to another file. So θ stays whole until the next one is, and a checkpoint can be written at any time.
What is computed depends on the plan of the rounds, never on the workers.
"""

import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.engine.store import Dataset
from tasks.training import replica
from tasks.training.replica import Learnt, Lesson, Meeting, Shard, Source
from tasks.training.rounds import Round, meetings
from tasks.training.workers import Workers
from w2v_core.model import Model
from w2v_core.training import Diverged, Position, Progress, Settings, diverged, rate_at

SMALL = 1 << 23  # bytes of rows below which another worker for a meeting is not worth its call


class Apart:
    """A model that is learnt by replicas."""

    def __init__(
        self,
        settings: Settings,
        model: Model,
        counts: NDArray[np.int64],
        frozen: NDArray[np.bool_],
        draws: Sequence[Dataset],
        plan: Sequence[Round],
        folder: Path,
        *,
        workers: int,
        threads: int,
    ) -> None:
        """Take the model as it is before the first round to be done; the tables go to a new folder in `folder`."""
        self._settings, self._plan, self._shards = settings, plan, [_shards(draw) for draw in draws]
        self._threads = threads  # at most, of one replica
        self._workers = Workers(workers)
        self._tables = Path(tempfile.mkdtemp(prefix="tables-", dir=folder))
        self._source = Source.here()
        self._ends = [f"end-{number}.npy" for number in range(max(len(each.slices) for each in plan))]
        self._start, self._next = "theta-0.npy", "theta-1.npy"
        np.save(self._tables / replica.COUNTS, counts)
        np.save(self._tables / replica.FROZEN, frozen)
        for name in (self._start, self._next, *self._ends):
            _reserve(self._tables / name, model.theta)
        replica.table(self._tables / self._start, "r+")[:] = model.theta
        self.model = self._mapped()  # as of the last meeting
        self.meeting_seconds = 0.0

    @property
    def facts(self) -> dict[str, Any]:
        """Return what is not in the vectors' key, and the time of the meetings."""
        return {"meetings": meetings(self._plan), "workers": self._workers.number, "seconds": self.meeting_seconds}

    def learn(self, start: Position) -> Iterator[Progress | None]:
        """Do all rounds from `start`, and yield the progress after each; None now and then within a round.

        A position's `shard` is the number of the round in its epoch. Raises Diverged if a loss or the vectors of a
        meeting are not finite, and TrainingError if workers are lost again and again.
        """
        try:
            with self._workers:
                for here in self._plan:
                    if (here.epoch, here.number) >= (start.epoch, start.shard):
                        yield (yield from self._round(here))
        finally:
            self.close()

    def close(self) -> None:
        """Delete the tables."""
        shutil.rmtree(self._tables, ignore_errors=True)

    def _round(self, here: Round) -> Generator[None, None, Progress]:
        slices = here.slices
        shards, reach = self._shards[here.epoch], self._settings.window
        threads = max(1, min(self._threads, (os.cpu_count() or 1) // min(self._workers.number, len(slices))))
        lessons = [
            Lesson(
                source=self._source,
                tables=self._tables,
                start=self._start,
                end=end,
                settings=dataclasses.asdict(self._settings),
                shards=[each for each in shards if each.first < part.stop + reach and each.last > part.start - reach],
                epoch=here.epoch,
                total=shards[-1].last,
                number=here.first + number,
                first=part.start,
                last=part.stop,
                before=here.windows.start,
                pace=len(slices),
                threads=threads,
            )
            for number, (part, end) in enumerate(zip(slices, self._ends, strict=False))
        ]
        names = [f"epoch {here.epoch}, round {here.number}, replica {number}" for number in range(len(slices))]
        calls = [lesson.model_dump_json() for lesson in lessons]
        answers = yield from self._workers.results(replica.learn, calls, names)
        learnt = [Learnt.model_validate_json(answer) for answer in answers]
        if said := next((each.diverged for each in learnt if each.diverged), ""):
            raise Diverged(said)
        yield from self._meet(here, [lesson.end for lesson in lessons])
        return self._progress(here, learnt)

    def _meet(self, here: Round, ends: list[str]) -> Generator[None, None, None]:
        """Combine what the replicas have learnt to the next θ."""
        started = time.perf_counter()
        if len(ends) == 1:
            taken = self._ends.index(ends[0])  # its table is the next θ, and the old one is free
            self._start, self._ends[taken] = ends[0], self._start
        else:
            rows = 2 * len(self.model.theta)
            parts = max(1, min(self._workers.number, self.model.theta.nbytes // SMALL))
            calls = [
                Meeting(
                    source=self._source,
                    tables=self._tables,
                    start=self._start,
                    ends=ends,
                    combined=self._next,
                    first=rows * part // parts,
                    last=rows * (part + 1) // parts,
                ).model_dump_json()
                for part in range(parts)
            ]
            names = [f"epoch {here.epoch}, meeting {here.number}, part {part}" for part in range(parts)]
            yield from self._workers.results(replica.meet, calls, names)
            self._start, self._next = self._next, self._start
        self.model = self._mapped()
        self.meeting_seconds += time.perf_counter() - started

    def _mapped(self) -> Model:
        """Return θ as it is mapped: it stays readable when its file is deleted."""
        return Model(replica.table(self._tables / self._start))

    def _progress(self, here: Round, learnt: Sequence[Learnt]) -> Progress:
        """Return the progress after a round. Raises Diverged if the vectors are not finite."""
        with np.errstate(invalid="ignore"):
            finite = np.isfinite(self.model.theta.sum())  # one number that is not finite makes the sum so
        if not finite:
            at = Position(here.epoch, here.first)
            raise Diverged(diverged(at, "vectors that are not finite numbers"))
        rows, settings = self._shards[here.epoch][-1].last, self._settings
        after = Position(here.epoch, here.number + 1, windows=here.windows.stop)
        return Progress(
            Position(here.epoch + 1) if after.windows == rows else after,
            (here.epoch + after.windows / rows) / settings.epochs,
            rate_at(settings, here.epoch, rows, here.windows.start, 0),
            len(here.windows),
            sum(each.pairs for each in learnt),
            sum(each.loss for each in learnt),  # in the replicas' order
            sum(each.updates for each in learnt),
        )


def _shards(draw: Dataset) -> list[Shard]:
    """Return the files of an epoch's windows in order; empty ones are left out."""
    found: list[Shard] = []
    for part in draw.parts:
        for file in part.manifest.files:
            first = found[-1].last if found else 0
            if file.rows:
                found.append(Shard(file=part.path / file.name, first=first, last=first + file.rows))
    return found


def _reserve(path: Path, like: NDArray[np.float32]) -> None:
    """Create the file of a table, with its space on the disk: a full disk is an error here, and a crash later."""
    np.lib.format.open_memmap(path, "w+", like.dtype, like.shape).flush()
    with open(path, "r+b") as stream:
        os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
