"""A curve that grows on MLflow's page while the training goes on.

It is a convenience: publication logs the whole curve, and what is logged twice is there once. So a tracking server
that goes away is said once, and costs the training nothing.
"""

import logging
import time

from tasks._curve import Curve
from tasks._errors import TrackingError
from tasks._runs import Run
from tasks._stage import Context

# MLflow's comparison page begins with the first one: J(θ) can be compared, the training's own loss cannot
CURVES = {"held_out_loss": "loss/held_out", "loss": "loss/training", "learning_rate": "training/learning_rate"}
SPEED = "speed/words_per_second"

log = logging.getLogger("w2v")


class Live:
    def __init__(self, context: Context) -> None:
        self._run = Run(context.tracking_uri, context.run_id) if context.run_id else None
        self._interval = context.runtime.log_interval  # seconds
        self._logged = 0  # points
        self._last = time.monotonic()

    def show(self, curve: Curve, *, now: bool = False) -> None:
        """Log the points that are new, unless it was done a moment ago and need not be `now`."""
        if self._run is None or (time.monotonic() - self._last < self._interval and not now):
            return
        self._last = time.monotonic()
        try:
            log_curve(self._run, curve.rows[self._logged :], curve.rates[self._logged :])
            self._logged = len(curve.rows)
        except TrackingError as error:
            log.warning("%s\nTraining goes on; its curve is logged at the end.", error)
            self._run = None


def log_curve(run: Run, rows: list[dict[str, float | None]], rates: list[float]) -> None:
    """The points of a training over the words seen."""
    columns = {metric: [row[column] for row in rows] for column, metric in CURVES.items()}
    run.curve([int(row["words"] or 0) for row in rows], columns | {SPEED: rates})
