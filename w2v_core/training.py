"""Training: a learner learns shard by shard, epoch by epoch, and yields one plain record for each step.

A learner changes the model in place, one `Step` at a time. A `Position` names a point of the training: the tables at
that point, the settings and the shards from there on determine everything that follows, to the bit.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, Protocol

import numpy as np

from w2v_core import schedules
from w2v_core.model import Model
from w2v_core.windows import Windows


@dataclass(frozen=True)
class Settings:
    """Everything that determines a training, apart from its data. The letters are those of the equations."""

    architecture: str  # a name in factory.ARCHITECTURES
    objective: str  # a name in factory.OBJECTIVES
    vector_size: int  # D
    window: int  # the largest radius
    epochs: int
    batch_size: int | Literal["full"]  # windows in an update
    learning_rate: float
    min_learning_rate: float
    schedule: str  # a name in schedules.SCHEDULES
    warmup: float  # share of the training during which the rate rises from its floor
    negatives: int  # K, noise words for each true pair
    noise_exponent: float  # noise words are drawn with P(w) ∝ count(w) ** noise_exponent
    shared_negatives: int  # noise words drawn once per block; 0 draws `negatives` for each pair
    block_length: int  # T, windows in a block of the fast path
    damping: float  # a row moves in a batch by at most this many times the mean of its pairs' gradients
    combination: Literal["mean", "sum"]  # of the context vectors of CBOW
    seed: int


class Step(NamedTuple):
    """The smallest piece of work after which the tables hold the whole state: one update, or a round of them."""

    windows: int  # rows of the shard it consumed
    pairs: int  # those of their pairs whose loss was measured
    loss: float | None  # summed over these pairs, in nats; None where nothing was measured
    updates: int = 1


class Learner(Protocol):
    """Changes a model in place by learning from windows."""

    def learn(
        self, windows: Windows, place: tuple[int, int], learning_rate: Callable[[int], float], first: int = 0
    ) -> Iterator[Step]:
        """Learn one shard, at place (epoch, shard), step by step; the first `first` steps are already done.

        `learning_rate` maps the rows of the shard consumed before an update to the rate of that update. Draws come
        from generator(seed, "training", epoch, shard, batch), where batch is the first that they serve.
        """
        ...


class Position(NamedTuple):
    """A point of the training: the tables hold everything before step `step` of this shard, and nothing after it."""

    epoch: int = 0
    shard: int = 0
    step: int = 0
    windows: int = 0  # windows of this epoch before the position
    rows: int = 0  # rows of this shard before the position


class Progress(NamedTuple):
    """What one step did, and the position after it."""

    position: Position  # resume here
    done: float  # share of the whole training, 0 … 1
    learning_rate: float
    windows: int
    pairs: int
    loss: float | None  # summed over the pairs, in nats
    updates: int


class Diverged(FloatingPointError):
    """The loss or the vectors are no longer finite numbers."""


def train(
    learner: Learner,
    settings: Settings,
    model: Model,
    shards: Callable[[int, int], Iterator[Windows]],
    rows: Callable[[int], int],
    start: Position | None = None,
) -> Iterator[Progress]:
    """Train `model` in place from `start` to the end, and yield the progress after each step.

    `shards(epoch, first)` yields the shards of an epoch from number `first` on; `rows(epoch)` is its number of windows.
    Raises Diverged as soon as a loss or, at the end of a shard, a vector is not finite.
    """
    start = start or Position()
    for epoch in range(start.epoch, settings.epochs):
        here = start if epoch == start.epoch else Position(epoch)
        total = rows(epoch)
        for shard, windows in enumerate(shards(epoch, here.shard), here.shard):
            if shard != here.shard:
                here = Position(epoch, shard, windows=here.windows)
            rate = partial(rate_at, settings, epoch, total, here.windows - here.rows)
            steps = learner.learn(windows, (epoch, shard), rate, here.step)
            while step := next_step(steps, here):
                used = rate(here.rows)
                here = here._replace(
                    step=here.step + 1, windows=here.windows + step.windows, rows=here.rows + step.windows
                )
                done = (epoch + here.windows / total) / settings.epochs
                yield Progress(_resumable(here, total, settings), done, used, *step)
            if not model.finite:
                raise Diverged(diverged(here, "vectors that are not finite numbers"))


def rate_at(settings: Settings, epoch: int, total: int, before: int, row: int) -> float:
    """Return the rate at a row of a shard, before which the epoch has `before` rows. A full batch has a single rate."""
    within = 0.0 if settings.batch_size == "full" else (before + row) / total
    return schedules.learning_rate(
        settings.schedule,
        (epoch + within) / settings.epochs,
        peak=settings.learning_rate,
        floor=settings.min_learning_rate,
        warmup=settings.warmup,
    )


def _resumable(here: Position, total: int, settings: Settings) -> Position:
    """Return the last position that the tables hold in full. In gradient descent they move only after an epoch."""
    if here.windows == total:
        return Position(here.epoch + 1)
    return Position(here.epoch) if settings.batch_size == "full" else here


def next_step(steps: Iterator[Step], here: Position) -> Step | None:
    """Return the next step, None after the last. Raises Diverged at once if its loss is not finite."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        step = next(steps, None)
    if step and step.loss is not None and not math.isfinite(step.loss):
        raise Diverged(diverged(here, f"a loss of {step.loss}"))
    return step


def diverged(here: Position, found: str) -> str:
    """Return the message of Diverged."""
    return (
        f"training diverged in epoch {here.epoch}, shard {here.shard}, step {here.step}\n"
        f"expected  finite numbers\nfound     {found}\n"
        "Lower training.learning_rate, training.batch_size or training.damping, or add training.warmup."
    )
