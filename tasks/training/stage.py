"""vocabulary, windows → vectors: drive the core over the shards, keep checkpoints, and record the curve.

The vectors of earlier epochs that are to be kept are written as each epoch ends, beside the checkpoints, and are copied
to the output at the end: there, what a killed attempt leaves is swept.

The curve has its points at fixed places of the corpus, so it is as reproducible as the vectors; what the clock
says (words per second, waiting) goes into the manifest's facts, which are no part of the content.
"""

import functools
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from configs.schema import Tokenization, Training
from tasks.datasets import contracts
from tasks.engine import environment
from tasks.engine import progress as engine_progress
from tasks.engine.checkpoints import Checkpoint, Checkpoints
from tasks.engine.interrupts import interruptible
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft
from tasks.engine.threads import ordered_map
from tasks.errors import Paused, TrainingError
from tasks.settings import settings_of
from tasks.text.normalization import Rules
from tasks.tracking.live_curve import Live
from tasks.training.curve import Curve
from tasks.training.initialization import Start, start, start_digests
from tasks.vectors import tables
from w2v_core.factory import learner
from w2v_core.fast.blocks import IN_PLACE
from w2v_core.measures.likelihood import held_out_loss
from w2v_core.model import Model
from w2v_core.training import Diverged, Position, Settings, train
from w2v_core.windows import Windows

log = logging.getLogger("w2v")

TEXT = Tokenization()
WORDS_AT_ONCE = 1 << 12
TELLING_SECONDS = 1.0  # of training, before which its speed says little


@stage("training", outside=start_digests, rounds=True)
def training(
    vocabulary: Dataset,
    draws: list[Dataset],
    held_out: Dataset,
    config: Training,
    window: int,
    seed: int,
    draft: Draft,
    context: Context,
    tokenization: Tokenization = TEXT,
) -> Account:
    """vectors.parquet, those of the earlier epochs to keep, and curve.parquet; the account is in windows.

    The rules by which `tokenization` wrote the words are kept with their vectors.
    """
    words = contracts.read(vocabulary.files()[0], contracts.VOCABULARY, ["word", "count"])
    if not IN_PLACE:
        _tell_of_slowness()
    begin = start(words["word"].to_pylist(), config, seed, tokenization)
    settings = settings_of(config, window, seed)
    keeping = tables.kept_epochs(config)
    run = Run(settings, begin, words, keeping, draws, read_windows(held_out.files()[0]), draft, context)
    with threadpool_limits(1, "blas"), interruptible() as interrupt:
        draft.facts["environment"] = environment.describe()  # of this training, whoever publishes it later
        try:
            for _ in () if run.paused else run:
                if interrupt or run.paused or run.checkpoint_due:
                    run.save()
                if interrupt:
                    raise KeyboardInterrupt
                if run.paused:
                    break
        except Diverged as error:
            raise TrainingError(f"{error}\n{run.checkpoints.kept}") from error

    run.end()
    if run.paused:
        raise Paused(context.run_id, losses(run.curve.table))
    write_vectors(draft.file(tables.FINAL), words, run.model)
    for name in map(tables.EARLIER.format, keeping):
        shutil.copyfile(run.checkpoints.folder / name, draft.file(name))
    contracts.write(draft.file("curve.parquet"), contracts.CURVE, run.curve.table)
    draft.facts.update(run.facts, **begin.facts, vector_size=config.vector_size)
    draft.facts[tables.RULES] = Rules.of(tokenization).dumps()
    return Account(unit="windows", read=run.total, written=run.total)


@functools.cache  # once a process
def _tell_of_slowness() -> None:
    log.warning(
        "⚠ this SciPy has no product in place (scipy.sparse._sparsetools.coo_matmat_dense): training gives the same "
        "vectors, more slowly"
    )


def losses(curve: pa.Table) -> list[float]:
    """J(θ) at the start and at the end of each epoch; empty where no window was held out."""
    found: list[float] = curve["held_out_loss"].drop_null().to_pylist()
    return found


class Run:
    """One training: the model, where it stands, and what the clock said."""

    def __init__(
        self,
        settings: Settings,
        begin: Start,
        words: pa.Table,
        kept: range,  # epochs
        draws: list[Dataset],
        held_out: Windows,
        draft: Draft,
        context: Context,
    ) -> None:
        self._settings, self._held_out = settings, held_out
        self._table, self._counts, self._kept = words, words["count"].to_numpy(), kept
        self._draft, self._context = draft, context
        self._rows = [draw.manifest.account.written for draw in draws]
        self.total = sum(self._rows)
        self.words = sum(draw.manifest.facts["words"] for draw in draws)
        self.checkpoints = Checkpoints(draft.path)
        saved = self.checkpoints.latest()
        self.model = Model(saved.theta) if saved else begin.model
        self._position = Position(*saved.state["position"]) if saved else Position()
        self._frozen = begin.frozen
        clock = {"training": 0.0, "waiting": 0.0, "checkpoints": 0.0}  # seconds
        state: dict[str, Any] = saved.state if saved else {"curve": None, "clock": clock}
        self.curve = Curve(self.total, self.words / self.total, state["curve"])
        self._clock: dict[str, float] = state["clock"]
        self._shards = Shards(draws, self._clock)
        self._live = Live(context)
        self._saved_at = time.monotonic()

    def __iter__(self) -> Iterator[None]:
        """Learn; control comes back after every step, with the tables and the position in step."""
        if self._position != Position():
            share = self.curve.windows / self.total
            engine_progress.continued("training", share * self._settings.epochs, share)
        rows = self._rows.__getitem__
        teacher = learner(
            self._settings,
            self.model,
            self._counts,
            rows,
            frozen=self._frozen,
            threads=self._context.runtime.training_threads,
        )
        if not self.curve.rows:
            self._point(0, self._settings.min_learning_rate, judge=True)
        started = time.perf_counter()
        for progress in train(teacher, self._settings, self.model, self._shards, rows, self._position):
            seconds = time.perf_counter() - started
            self._clock["training"] += seconds
            epoch_over = progress.position.epoch > self._position.epoch
            self._position = progress.position
            self.curve.add(progress, seconds)
            if epoch_over or self.curve.due:
                self._point(progress.done, progress.learning_rate, judge=epoch_over)
            if epoch_over and self._position.epoch in self._kept:
                self._keep()
            yield
            started = time.perf_counter()

    @property
    def paused(self) -> bool:
        """Whether it has come as far as it is to go for now, which is not the end."""
        return 0 < self._context.pause_after <= self._position.epoch < self._settings.epochs

    @property
    def checkpoint_due(self) -> bool:
        return time.monotonic() - self._saved_at > self._context.runtime.checkpoint_interval

    def save(self) -> None:
        """Write a checkpoint from which the training goes on to the same bits; never of vectors that have diverged."""
        if not np.isfinite(self.model.theta).all():
            return
        started = time.perf_counter()
        state = {"position": self._position, "curve": self.curve.state, "clock": self._clock}
        self.checkpoints.save(Checkpoint(self.model.theta, state))
        self._clock["checkpoints"] += time.perf_counter() - started
        self._saved_at = time.monotonic()

    def _keep(self) -> None:
        """Write the vectors as they are, before any checkpoint that lies behind them."""
        started = time.perf_counter()
        with self.checkpoints.file(tables.EARLIER.format(self._position.epoch)) as path:
            write_vectors(path, self._table, self.model)
        self._clock["checkpoints"] += time.perf_counter() - started

    def end(self) -> None:
        """The whole curve so far is on MLflow's page, if it answers."""
        self._live.end(self.curve)

    @property
    def facts(self) -> dict[str, Any]:
        """What the clock said."""
        seconds = self._clock["training"] + self._clock["checkpoints"]
        speed = {
            "words_per_second": self.words / seconds,
            "seconds": seconds,
            "waiting_share": self._clock["waiting"] / seconds,
            "checkpoint_share": self._clock["checkpoints"] / seconds,
            "curve": self.curve.rates,
        }
        return {"words": self.words, "speed": speed}

    def _point(self, done: float, learning_rate: float, *, judge: bool) -> None:
        """A point of the curve, with J(θ) where `judge` says so; and what people see of it."""
        loss = self._held_out_loss() if judge else None
        self.curve.point(done * self._settings.epochs, learning_rate, loss)
        latest, seconds = self.curve.rows[-1], self._clock["training"]
        text = [f"epoch {latest['epoch']:.2f}"]
        if latest["loss"] is not None:
            text.append(f"loss {latest['loss']:.4f}")
        if seconds > TELLING_SECONDS:
            rate = latest["words"] / seconds
            text += [f"{rate:,.0f} words/s", f"{(self.words - latest['words']) / rate:.0f} s left"]
        self._draft.report(self.curve.windows, self.total, ", ".join(text))
        self._live.show(self.curve)

    def _held_out_loss(self) -> float | None:
        """J(θ), or None where no window was held out."""
        found = held_out_loss(self.model, self._held_out, self._settings, self._counts)
        return found.per_window if found.windows else None


class Shards:
    """The shards of each epoch in order, each read while the one before it trains."""

    def __init__(self, draws: list[Dataset], clock: dict[str, float]) -> None:
        self._draws, self._clock = draws, clock

    def __call__(self, epoch: int, first: int) -> Iterator[Windows]:
        shards = ordered_map(read_windows, self._draws[epoch].files()[first:], threads=1)
        while True:
            started = time.perf_counter()
            shard = next(shards, None)
            self._clock["waiting"] += time.perf_counter() - started
            if shard is None:
                return
            yield shard


def read_windows(file: Path) -> Windows:
    columns = contracts.read(file, contracts.WINDOWS)
    return Windows(*(columns[name].to_numpy() for name in ("document", "center", "radius")))


def write_vectors(path: Path, words: pa.Table, model: Model) -> None:
    contracts.write(path, contracts.vectors(model.input.shape[1]), _tables(words, model))


def _tables(words: pa.Table, model: Model) -> Iterator[pa.Table]:
    """The vectors, so many at a time that a copy of them is small beside the model."""
    for first in range(0, len(words), WORDS_AT_ONCE):
        part = slice(first, first + WORDS_AT_ONCE)
        table = words.slice(first, WORDS_AT_ONCE).append_column("input", _column(model.input[part]))
        yield table.append_column("output", _column(model.output[part]))


def _column(table: NDArray[np.floating]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(table).reshape(-1)), table.shape[1])
