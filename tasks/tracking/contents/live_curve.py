"""The live curve of a training: points are sent to MLflow while the training goes on.

The training waits for no server. Its curve is in the checkpoints, and finally in `curve.parquet`. Each message holds
all points that MLflow has not confirmed, so nothing is lost if its server, or this process, is restarted. Publication
sends the whole curve once more; what is logged twice is stored once.
"""

import logging
import time
from typing import Protocol

from tasks.engine.background import Courier
from tasks.engine.stage import Context
from tasks.errors import TrackingError
from tasks.tracking.names import LEARNING_RATE, LOSS, SPEED, TRAINING_LOSS
from tasks.tracking.run import Run

# MLflow's comparison page begins with the first one: J(θ) can be compared between runs, the training's own loss cannot.
CURVES = {"held_out_loss": LOSS, "loss": TRAINING_LOSS, "learning_rate": LEARNING_RATE}

log = logging.getLogger("w2v")


class Points(Protocol):
    """The points of a training so far, and its speed at each."""

    @property
    def rows(self) -> list[dict[str, float | None]]:
        """Return the points: columns → values."""
        ...

    @property
    def rates(self) -> list[float]:
        """Return the speed at each point, in words per second."""
        ...


class Live:
    """Sends the curve of one training to MLflow, if the context names a server and a run."""

    def __init__(self, context: Context) -> None:
        self._run = Run(context.tracking_uri, context.run_id) if context.tracking_uri else None
        self._interval = context.runtime.log_interval  # seconds
        self._courier = Courier()
        self._logged = 0  # points that MLflow has confirmed
        self._away = False
        self._last = time.monotonic()

    def show(self, curve: Points) -> None:
        """Send the new points in the background, at most once every runtime.log_interval seconds."""
        if not self._courier.busy and time.monotonic() - self._last > self._interval:
            self._last = time.monotonic()
            self._send(curve)

    def end(self, curve: Points) -> None:
        """Send all new points, and wait until they are logged or refused: the background thread writes no more."""
        self._courier.wait()
        self._send(curve)
        self._courier.wait()

    def _send(self, curve: Points) -> None:
        if run := self._run:
            rows, rates = curve.rows[self._logged :], curve.rates[self._logged :]
            self._courier.send(lambda: self._log(run, rows, rates))

    def _log(self, run: Run, rows: list[dict[str, float | None]], rates: list[float]) -> None:
        try:
            log_curve(run, rows, rates)
        except TrackingError as error:
            if not self._away:
                log.warning("%s\nTraining goes on. Its curve is kept, and sent when MLflow answers again.", error)
            self._away = True
            return
        self._logged += len(rows)
        if self._away:
            log.info("MLflow answers again, and has the curve so far")
        self._away = False


def log_curve(run: Run, rows: list[dict[str, float | None]], rates: list[float]) -> None:
    """Log the points of a training over the number of words seen."""
    columns = {metric: [row[column] for row in rows] for column, metric in CURVES.items()}
    run.curve([int(row["words"] or 0) for row in rows], columns | {SPEED: rates})
