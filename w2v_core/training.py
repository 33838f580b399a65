"""Training: a learner learns shard by shard, epoch by epoch; whoever drives it reads one plain record per update.

A learner changes the model in place, one `Step` at a time. Where training stands is a `Position`: the tables at a
position, the settings, and the shards from there on determine everything that follows, to the bit.
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
    """What a training is, beside its data; the letters are those of the equations."""

    architecture: str  # a name in learners.ARCHITECTURES
    objective: str  # a name in learners.OBJECTIVES
    vector_size: int  # D
    window: int  # the largest radius
    epochs: int
    batch_size: int | Literal["full"]  # windows in an update
    learning_rate: float
    min_learning_rate: float
    schedule: str  # a name in schedules.SCHEDULES
    warmup: float  # share of the training during which the rate rises from its floor
    negatives: int  # K, noise words for each true pair
    noise_exponent: float
    shared_negatives: int  # noise words drawn once per block; 0 draws `negatives` for each pair
    block_length: int  # T
    damping: float  # a row moves in a batch by at most this many times the mean of its pairs' gradients
    combination: Literal["mean", "sum"]  # of the context vectors of CBOW
    seed: int


class Step(NamedTuple):
    """As much as a learner does before the tables alone say where training stands: an update, or a round of them."""

    windows: int  # rows of the shard it consumed
    pairs: int  # of them, those whose loss was measured
    loss: float | None  # summed over these pairs; None where nothing was measured
    updates: int = 1


class Learner(Protocol):
    def learn(
        self, windows: Windows, place: tuple[int, int], learning_rate: Callable[[int], float], first: int = 0
    ) -> Iterator[Step]:
        """One shard, at place (epoch, shard), in steps, of which the first `first` are done already.

        `learning_rate` takes the rows of the shard consumed before an update and gives the rate of that update.
        Draws come from generator(seed, "training", epoch, shard, batch), with the first batch that they are for.
        """
        ...


class Position(NamedTuple):
    """Everything before step `step` of shard `shard` of epoch `epoch` is in the tables, and nothing after it."""

    epoch: int = 0
    shard: int = 0
    step: int = 0
    windows: int = 0  # of this epoch that lie before
    rows: int = 0  # of this shard that lie before


class Progress(NamedTuple):
    """What one step did, and where training stands after it."""

    position: Position  # resume here
    done: float  # share of the whole training, 0 … 1
    learning_rate: float
    windows: int
    pairs: int
    loss: float | None  # summed over the pairs
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
    """Train `model` in place from `start` to the end. Raises Diverged.

    `shards(epoch, first)` gives the shards of an epoch from number `first` on, and `rows(epoch)` its windows.
    """
    start = start or Position()
    for epoch in range(start.epoch, settings.epochs):
        here = start if epoch == start.epoch else Position(epoch)
        total = rows(epoch)
        for shard, windows in enumerate(shards(epoch, here.shard), here.shard):
            if shard != here.shard:
                here = Position(epoch, shard, windows=here.windows)
            rate = partial(_rate, settings, epoch, total, here.windows - here.rows)
            steps = learner.learn(windows, (epoch, shard), rate, here.step)
            while step := _next(steps, here):
                used = rate(here.rows)
                here = here._replace(
                    step=here.step + 1, windows=here.windows + step.windows, rows=here.rows + step.windows
                )
                done = (epoch + here.windows / total) / settings.epochs
                yield Progress(_resumable(here, total, settings), done, used, *step)
            with np.errstate(invalid="ignore"):
                finite = np.isfinite(model.theta.sum())  # of one number that is not finite, neither is the sum
            if not finite:
                raise Diverged(_diverged(here, "vectors that are not finite numbers"))


def _rate(settings: Settings, epoch: int, total: int, before: int, row: int) -> float:
    """The rate at a row of a shard that `before` rows of the epoch precede; the same for all of a full batch."""
    within = 0.0 if settings.batch_size == "full" else (before + row) / total
    return schedules.learning_rate(
        settings.schedule,
        (epoch + within) / settings.epochs,
        peak=settings.learning_rate,
        floor=settings.min_learning_rate,
        warmup=settings.warmup,
    )


def _resumable(here: Position, total: int, settings: Settings) -> Position:
    """The last position that the tables alone stand for: gradient descent has moved nothing until the epoch is over."""
    if here.windows == total:
        return Position(here.epoch + 1)
    return Position(here.epoch) if settings.batch_size == "full" else here


def _next(steps: Iterator[Step], here: Position) -> Step | None:
    """The next step; a loss that is not finite stops the training here, not when a chart looks odd."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        step = next(steps, None)
    if step and step.loss is not None and not math.isfinite(step.loss):
        raise Diverged(_diverged(here, f"a loss of {step.loss}"))
    return step


def _diverged(here: Position, found: str) -> str:
    return (
        f"training diverged in epoch {here.epoch}, shard {here.shard}, step {here.step}\n"
        f"expected  finite numbers\nfound     {found}\n"
        "Lower training.learning_rate, training.batch_size or training.damping, or add training.warmup."
    )
