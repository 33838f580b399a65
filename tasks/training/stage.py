"""vocabulary, windows → vectors: run the core over the shards, save checkpoints, and record the curve.

Vectors of earlier epochs to keep are written beside the checkpoints as each epoch ends, and copied to the output at the
end, since the output of a killed attempt is deleted.

Points of the curve lie at fixed positions in the corpus, so the curve is as reproducible as the vectors. Measured times
(words per second, waiting) go into the manifest's facts, which are not part of the content.
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
from tasks.engine import environment, progress
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
TELLING_SECONDS = 1.0  # of training, before which its speed is not reported


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
    """Write vectors.parquet, the vectors of earlier epochs to keep, and curve.parquet; the account counts windows.

    The rules by which `tokenization` normalised the words are stored with their vectors.
    """
    words = contracts.read(vocabulary.files()[0], contracts.VOCABULARY, ["word", "count"])
    if not IN_PLACE:
        _tell_of_slowness()
    begin = start(words["word"].to_pylist(), config, seed, tokenization)
    settings = settings_of(config, window, seed)
    keeping = tables.kept_epochs(config)
    run = Run(settings, begin, words, keeping, draws, read_windows(held_out.files()[0]), draft, context)
    with threadpool_limits(1, "blas"), interruptible() as interrupt:
        draft.facts["environment"] = environment.describe()  # of the training, which may be published elsewhere
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
        "⚠ this SciPy has no in-place product (scipy.sparse._sparsetools.coo_matmat_dense): training gives the same "
        "vectors, but more slowly"
    )


def losses(curve: pa.Table) -> list[float]:
    """Return J(θ) at the start and at the end of each epoch; empty if no window was held out."""
    found: list[float] = curve["held_out_loss"].drop_null().to_pylist()
    return found


class Run:
    """The state of one training: the model, its position, and measured times."""

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
        """Train; yield after every step, when tables and position are consistent."""
        if self._position != Position():
            share = self.curve.windows / self.total
            progress.continued("training", share * self._settings.epochs, share)
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
        for step in train(teacher, self._settings, self.model, self._shards, rows, self._position):
            seconds = time.perf_counter() - started
            self._clock["training"] += seconds
            epoch_over = step.position.epoch > self._position.epoch
            self._position = step.position
            self.curve.add(step, seconds)
            if epoch_over or self.curve.due:
                self._point(step.done, step.learning_rate, judge=epoch_over)
            if epoch_over and self._position.epoch in self._kept:
                self._keep()
            yield
            started = time.perf_counter()

    @property
    def paused(self) -> bool:
        """Return True if the training has reached the epoch to pause after, which is not the last."""
        return 0 < self._context.pause_after <= self._position.epoch < self._settings.epochs

    @property
    def checkpoint_due(self) -> bool:
        return time.monotonic() - self._saved_at > self._context.runtime.checkpoint_interval

    def save(self) -> None:
        """Write a checkpoint from which training continues bit for bit; skip it if the vectors have diverged."""
        if not np.isfinite(self.model.theta).all():
            return
        started = time.perf_counter()
        state = {"position": self._position, "curve": self.curve.state, "clock": self._clock}
        self.checkpoints.save(Checkpoint(self.model.theta, state))
        self._clock["checkpoints"] += time.perf_counter() - started
        self._saved_at = time.monotonic()

    def _keep(self) -> None:
        """Write the vectors of the epoch that ended, before any later checkpoint."""
        started = time.perf_counter()
        with self.checkpoints.file(tables.EARLIER.format(self._position.epoch)) as path:
            write_vectors(path, self._table, self.model)
        self._clock["checkpoints"] += time.perf_counter() - started

    def end(self) -> None:
        """Publish the rest of the curve to MLflow, if it answers."""
        self._live.end(self.curve)

    @property
    def facts(self) -> dict[str, Any]:
        """Return the measured times and speeds."""
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
        """Add a point to the curve, with J(θ) if `judge` is true, and report it."""
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
        """Return J(θ) on the held-out windows, or None if there are none."""
        found = held_out_loss(self.model, self._held_out, self._settings, self._counts)
        return found.per_window if found.windows else None


class Shards:
    """The shards of each epoch in order, each read while the one before is trained on."""

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
    """Yield the vectors in parts, so that a copy of one is small beside the model."""
    for first in range(0, len(words), WORDS_AT_ONCE):
        part = slice(first, first + WORDS_AT_ONCE)
        table = words.slice(first, WORDS_AT_ONCE).append_column("input", _column(model.input[part]))
        yield table.append_column("output", _column(model.output[part]))


def _column(table: NDArray[np.floating]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(table).reshape(-1)), table.shape[1])
