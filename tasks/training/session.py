"""A training at work: the model, its position in the text, its curve and its checkpoints."""

import time
from collections.abc import Generator, Iterator
from typing import Any

import pyarrow as pa

from configs.schema import Training
from tasks.engine import progress
from tasks.engine.checkpoints import Checkpoint, Checkpoints
from tasks.engine.facts import WindowsFacts, recorded
from tasks.engine.stage import Context
from tasks.engine.store import Dataset, Draft
from tasks.engine.threads import ordered_map
from tasks.tracking.contents.live_curve import Live
from tasks.training import files, workers
from tasks.training.apart import Apart
from tasks.training.curve import Curve
from tasks.training.initialization import Start
from tasks.training.rounds import rounds
from tasks.vectors import tables
from w2v_core.factory import learner
from w2v_core.measures.likelihood import held_out_loss
from w2v_core.model import Model
from w2v_core.training import Position, Progress, Settings, train
from w2v_core.windows import Windows

TELLING_SECONDS = 1.0  # of training, before which its speed is not reported


class TrainingSession:
    """The state of one training: the model, its position, and measured times."""

    def __init__(
        self,
        settings: Settings,
        begin: Start,
        words: pa.Table,
        config: Training,
        draws: list[Dataset],
        held_out: Windows,
        draft: Draft,
        context: Context,
    ) -> None:
        self._settings, self._held_out = settings, held_out
        self._table, self._counts, self._config = words, words["count"].to_numpy(), config
        self._kept = tables.kept_epochs(config)
        self._draft, self._context = draft, context
        self._rows = [draw.manifest.account.written for draw in draws]
        self.total = sum(self._rows)
        self.words = sum(recorded(WindowsFacts, draw)["words"] for draw in draws)
        self.checkpoints = Checkpoints(draft.path)
        saved = self.checkpoints.latest()
        self._model = _continued(begin.model, saved) if saved else begin.model
        self._position = Position(*saved.state["position"]) if saved else Position()
        self._frozen = begin.frozen
        clock = {"training": 0.0, "waiting": 0.0, "checkpoints": 0.0}  # seconds
        state: dict[str, Any] = saved.state if saved else {"curve": None, "clock": clock}
        self.curve = Curve(self.total, self.words / self.total, state["curve"])
        self._clock: dict[str, float] = state["clock"]
        self._shards = Shards(draws, self._clock)
        self._live = Live(context)
        self._saved_at, self._saved = time.monotonic(), self._position
        self._apart = self._replicas() if config.replicas > 1 else None
        self._steps = self._learn()

    def step(self) -> bool:
        """Train on one more batch, or on replicas for a moment. Returns False at the end of the training.

        Between two steps, tables and position agree, so that a checkpoint may be written.
        """
        return next(self._steps, False)

    @property
    def model(self) -> Model:
        """Return the model at the position; of replicas, the one of their last meeting."""
        return self._apart.model if self._apart else self._model

    def close(self) -> None:
        """End the workers, if there are any, and delete their tables."""
        self._steps.close()
        if self._apart:
            self._apart.close()

    def _learn(self) -> Generator[bool, None, None]:
        if self._position != Position():
            share = self.curve.windows / self.total
            progress.continued("training", share * self._settings.epochs, share)
        if not self.curve.rows:
            self._point(0, self._settings.min_learning_rate, judge=True)
        started = time.perf_counter()
        for step in self._apart.learn(self._position) if self._apart else self._alone():
            if step is None:  # replicas are between two meetings
                yield True
                continue
            seconds = time.perf_counter() - started
            self._clock["training"] += seconds
            epoch_over = step.position.epoch > self._position.epoch
            self._position = step.position
            self.curve.add(step, seconds)
            if epoch_over or self.curve.due:
                self._point(step.done, step.learning_rate, judge=epoch_over)
            if epoch_over and self._position.epoch in self._kept:
                self._keep()
            yield True
            started = time.perf_counter()

    def _alone(self) -> Iterator[Progress]:
        """Train a single model."""
        rows, threads = self._rows.__getitem__, self._context.runtime.training_threads
        teacher = learner(self._settings, self._model, self._counts, rows, frozen=self._frozen, threads=threads)
        return train(teacher, self._settings, self._model, self._shards, rows, self._position)

    def _replicas(self) -> Apart:
        runtime = self._context.runtime
        return Apart(
            self._settings,
            self._model,
            self._counts,
            self._frozen,
            self._shards.draws,
            rounds(self._rows, self._config),
            self._draft.path,
            workers=workers.number(self._config, runtime),
            threads=runtime.training_threads,
        )

    @property
    def paused(self) -> bool:
        """Return True if the training has reached the epoch to pause after, which is not the last."""
        return 0 < self._context.pause_after <= self._position.epoch < self._settings.epochs

    @property
    def checkpoint_due(self) -> bool:
        due = time.monotonic() - self._saved_at > self._context.runtime.checkpoint_interval
        return due and self._position != self._saved

    def save(self) -> None:
        """Write a checkpoint from which training continues bit for bit; skip it if the vectors have diverged."""
        if not self.model.finite:
            return
        started = time.perf_counter()
        state = {"position": self._position, "curve": self.curve.state, "clock": self._clock}
        self.checkpoints.save(Checkpoint(self.model.theta, state, self.model.parts and self.model.parts.table))
        self._clock["checkpoints"] += time.perf_counter() - started
        self._saved_at, self._saved = time.monotonic(), self._position

    def _keep(self) -> None:
        """Write the vectors of the epoch that ended, before any later checkpoint."""
        started = time.perf_counter()
        with self.checkpoints.file(tables.EARLIER.format(self._position.epoch)) as path:
            files.write_vectors(path, self._table, self.model)
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
        facts = {"words": self.words, "speed": speed}
        return facts | {"replication": self._apart.facts} if self._apart else facts

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
        found = held_out_loss(self.model.composed(), self._held_out, self._settings, self._counts)
        return found.per_window if found.windows else None


def _continued(model: Model, saved: Checkpoint) -> Model:
    """Return the initial model with the numbers of a checkpoint."""
    parts = model.parts
    return Model(saved.theta, parts if parts is None or saved.ngrams is None else parts.holding(saved.ngrams))


class Shards:
    """The shards of each epoch in order, each read while the one before is trained on."""

    def __init__(self, draws: list[Dataset], clock: dict[str, float]) -> None:
        self.draws, self._clock = draws, clock

    def __call__(self, epoch: int, first: int) -> Iterator[Windows]:
        shards = ordered_map(files.read_windows, self.draws[epoch].files()[first:], threads=1)
        while True:
            started = time.perf_counter()
            shard = next(shards, None)
            self._clock["waiting"] += time.perf_counter() - started
            if shard is None:
                return
            yield shard
