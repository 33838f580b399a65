"""The curve of a training: points at fixed positions in the corpus, with measured rates beside them."""

from typing import Any

import pyarrow as pa

from tasks.datasets import contracts
from w2v_core.training import Progress

POINTS = 200  # approximate number per run


class Curve:
    """Accumulate progress since the last point; a point is due after every 1/POINTS of the windows."""

    def __init__(self, total_windows: int, words_per_window: float, state: dict[str, Any] | None) -> None:
        self._step = max(1, total_windows // POINTS)
        self._words_per_window = words_per_window
        state = state or {"rows": [], "rates": [], "now": {"windows": 0, "updates": 0}, "since": _nothing()}
        self.rows: list[dict[str, Any]] = state["rows"]
        self.rates: list[float] = state["rates"]  # words per second up to each point
        self._now: dict[str, int] = state["now"]
        self._since: dict[str, float] = state["since"]  # totals since the last point

    @property
    def state(self) -> dict[str, Any]:
        """Return the state as plain JSON, from which the curve continues."""
        return {"rows": self.rows, "rates": self.rates, "now": self._now, "since": self._since}

    @property
    def table(self) -> pa.Table:
        return pa.Table.from_pylist(self.rows, schema=contracts.CURVE.schema)

    @property
    def windows(self) -> int:
        return self._now["windows"]

    @property
    def due(self) -> bool:
        return self._since["windows"] >= self._step

    def add(self, progress: Progress, seconds: float) -> None:
        self._now["windows"] += progress.windows
        self._now["updates"] += progress.updates
        self._since["windows"] += progress.windows
        self._since["seconds"] += seconds
        if progress.loss is not None:
            self._since["loss"] += progress.loss
            self._since["measured"] += progress.pairs

    def point(self, epoch: float, learning_rate: float, held_out_loss: float | None) -> None:
        since = self._since
        words = round(self.windows * self._words_per_window)
        before = self.rows[-1]["words"] if self.rows else 0
        self.rates.append((words - before) / since["seconds"] if since["seconds"] else 0.0)
        self.rows.append(
            {
                "words": words,
                "windows": self.windows,
                "updates": self._now["updates"],
                "epoch": epoch,
                "loss": since["loss"] / since["measured"] if since["measured"] else None,
                "learning_rate": learning_rate,
                "held_out_loss": held_out_loss,
            }
        )
        self._since = _nothing()


def _nothing() -> dict[str, float]:
    return {"windows": 0, "seconds": 0.0, "loss": 0.0, "measured": 0}
