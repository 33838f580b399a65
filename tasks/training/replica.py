"""What a worker does for a training by replicas: learn one slice of windows, or combine some rows.

Both are pure functions of files. A call crosses to another process as JSON; tables lie in mapped files, which processes
of one machine share through the page cache, and are never pickled. Whoever computes a call, and how often, changes no
bit: it reads θ, and writes a file that only this call writes.
"""

import functools
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.engine import kernels
from tasks.engine.code_digest import code_digest
from tasks.engine.store import FrozenModel
from tasks.errors import StoreError
from tasks.training import files
from w2v_core.factory import learner
from w2v_core.fast.pipelined import InFlight
from w2v_core.meeting import combine
from w2v_core.model import Model
from w2v_core.training import Diverged, Position, Settings, next_step, rate_at
from w2v_core.windows import Windows

COUNTS, FROZEN = "counts.npy", "frozen.npy"  # beside the tables
STAGE = "tasks.training.stage"  # the module by which all of this code is known
_own = threading.local()  # of each thread: its learner, and the flag by which others end its calls early


class Source(FrozenModel):
    """What a worker must be made of, so that it gives the bits of any other."""

    code: str
    kernels: dict[str, list[str]]

    @classmethod
    def here(cls) -> "Source":
        """Return those of this process."""
        return cls(code=code_digest(STAGE), kernels=kernels.kernels())

    def check(self) -> None:
        """Raise StoreError if this process has other code or other kernels."""
        if self != Source.here():
            raise StoreError(
                f"this worker would give other bits\nexpected  code {self.code}, {kernels.shown(self.kernels)}\n"
                f"found     code {Source.here().code}, {kernels.shown(kernels.kernels())}\n"
                "The code has been changed during the training, or this is another CPU: run the command again, or set "
                "runtime.portable=true."
            )


class Shard(FrozenModel):
    """A file of the windows of an epoch."""

    file: Path
    first: int  # windows of the epoch before it
    last: int


class Lesson(FrozenModel):
    """A call: learn a slice of an epoch, starting from one table and writing another."""

    source: Source
    tables: Path  # the folder of all tables
    start: str  # the file of θ
    end: str  # the file for θ of this replica
    settings: dict[str, Any]
    shards: list[Shard]  # those with windows of the slice or around it, in order
    epoch: int
    total: int  # windows of the epoch
    number: int  # of the slice within the epoch: the address of its noise
    first: int  # windows of the epoch before the slice
    last: int
    before: int  # windows of the epoch before the round
    pace: int  # replicas that learn at the same time: so many windows are behind for each of this slice's
    threads: int


class Learnt(FrozenModel):
    """What a lesson has measured."""

    pairs: int = 0
    loss: float = 0.0  # summed over these pairs
    updates: int = 0
    diverged: str = ""  # the message of Diverged


class Meeting(FrozenModel):
    """A call: combine some rows of the tables of several replicas."""

    source: Source
    tables: Path
    start: str
    ends: list[str]  # in the replicas' order
    combined: str
    first: int  # rows
    last: int


class Stopped(Exception):
    """The call was stopped before its end, because the training ends."""


def learn(call: str) -> str:
    """Do a Lesson, given as JSON; return what it Learnt as JSON."""
    lesson = Lesson.model_validate_json(call)
    lesson.source.check()
    settings = Settings(**lesson.settings)
    teacher, model = _teacher(lesson.tables, lesson.settings, lesson.threads)
    np.copyto(model.theta, table(lesson.tables / lesson.start))
    windows = windows_of(lesson.shards, range(lesson.first, lesson.last), settings.window)

    def rate(row: int) -> float:
        done = min(lesson.pace * row, lesson.total - lesson.before)
        return rate_at(settings, lesson.epoch, lesson.total, lesson.before, done)

    here = Position(lesson.epoch, lesson.number)
    pairs, loss, updates = 0, 0.0, 0
    steps = teacher.learn(windows, (lesson.epoch, lesson.number), rate)
    try:
        while step := next_step(steps, here):
            here = here._replace(step=here.step + 1)
            pairs, loss, updates = pairs + step.pairs, loss + (step.loss or 0.0), updates + step.updates
            if (stopping := getattr(_own, "stopping", None)) and stopping.is_set():
                raise Stopped
    except Diverged as error:
        return Learnt(diverged=str(error)).model_dump_json()
    np.copyto(table(lesson.tables / lesson.end, "r+"), model.theta)
    return Learnt(pairs=pairs, loss=loss, updates=updates).model_dump_json()


def meet(call: str) -> str:
    """Do a Meeting, given as JSON; return an empty text."""
    meeting = Meeting.model_validate_json(call)
    meeting.source.check()
    rows = slice(meeting.first, meeting.last)
    start, *ends = (_rows(meeting.tables / name) for name in (meeting.start, *meeting.ends))
    with np.errstate(over="ignore", invalid="ignore"):  # the next θ is checked as a whole
        _rows(meeting.tables / meeting.combined, "r+")[rows] = combine(start[rows], [end[rows] for end in ends])
    return ""


def table(path: Path, mode: str = "r") -> NDArray[Any]:
    """Return the array of a file as it is mapped: without "r+", it cannot be changed."""
    found: NDArray[Any] = np.asarray(np.load(path, mmap_mode=mode, allow_pickle=False))  # type: ignore[arg-type]
    return found


def _rows(path: Path, mode: str = "r") -> NDArray[np.float32]:
    """Return θ as a table of (2V, D) rows, as it is mapped."""
    theta = table(path, mode)
    return theta.reshape(-1, theta.shape[2])


def stoppable(stopping: threading.Event) -> None:
    """Let `stopping` end the calls of this thread early."""
    _own.stopping = stopping


def _teacher(tables: Path, settings: dict[str, Any], threads: int) -> tuple[InFlight, Model]:
    """Return a learner with a table of its own, laid out once for all calls of a training."""
    key = (tables, settings, threads)
    if getattr(_own, "key", None) != key:
        counts, frozen = table(tables / COUNTS), table(tables / FROZEN)
        chosen = Settings(**settings)
        model = Model(np.zeros((len(counts), 2, chosen.vector_size), np.float32))
        teacher = learner(chosen, model, counts, _no_rows, frozen=frozen, threads=threads)
        assert isinstance(teacher, InFlight)  # as the schema requires for replicas
        _own.key, _own.teacher = key, (teacher, model)
    found: tuple[InFlight, Model] = _own.teacher
    return found


def _no_rows(epoch: int) -> int:
    raise AssertionError("only gradient descent asks for the rows of an epoch")


def windows_of(shards: Sequence[Shard], rows: range, reach: int) -> Windows:
    """Return these windows of an epoch, with `reach` rows around that serve only as context."""
    parts: list[Windows] = []
    at: list[NDArray[np.intp]] = []
    for shard in shards:
        first, last = max(shard.first, rows.start - reach), min(shard.last, rows.stop + reach)
        part = _read(shard.file)[first - shard.first : last - shard.first]
        # No document goes on in the next file, whose own numbers may begin anew.
        after = parts[-1].document.max() + 1 if parts else 0
        parts.append(replace(part, document=part.document - part.document.min() + after))
        at.append(np.arange(first, last))
    document, center, radius = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("document", "center", "radius")
    )
    row = np.concatenate(at)
    radius = np.where((row >= rows.start) & (row < rows.stop), radius, np.uint8(0))
    return Windows(document, center, radius)


@functools.lru_cache(maxsize=2)  # the next slices are of the same shard
def _read(file: Path) -> Windows:
    return files.read_windows(file)
