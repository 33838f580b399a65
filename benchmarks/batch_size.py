"""The same small corpus by gradient descent, by single windows and by mini-batches: three runs and one picture.

    make theory [ARGS="runtime.workspace=FOLDER"]

Draws docs/pictures/batch_size.png, which docs/explanation/theory.md explains. A run that is in the store is not
run again.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from configs.loading import load
from flows.servers.settings import quiet, settle
from tasks.datasets import contracts
from tasks.engine.facts import VectorsFacts, recorded
from tasks.engine.store import Dataset
from tasks.reports.figures import FAINT, GRID, INK, PALETTE

PROJECT = Path(__file__).parent.parent
PICTURE = PROJECT / "docs" / "pictures" / "batch_size.png"
EXPERIMENTS = ("batch-full", "batch-1", "batch-128")


class Descent(NamedTuple):
    """One training, at the start and after each epoch."""

    updates: NDArray[np.int64]
    seconds: NDArray[np.float64]
    loss: NDArray[np.float64]  # J(θ) on the held-out windows


def main() -> None:
    quiet()
    configs = [load(PROJECT / "configs" / f"{name}.toml", sys.argv[1:]) for name in EXPERIMENTS]
    settle(Path(configs[0].runtime.workspace))
    from flows.retrain import retrain  # Prefect reads its settings when it is imported

    descents = {config.name: descent(retrain(config).outputs.trained.vectors) for config in configs}
    for name, (updates, seconds, loss) in descents.items():
        print(f"{name:10}  {updates[-1]:9,} updates  {seconds[-1]:6.1f} s  J(θ) {loss[0]:.2f} → {loss[-1]:.2f}")
    PICTURE.parent.mkdir(exist_ok=True)
    draw(descents).savefig(PICTURE)


def descent(vectors: Dataset) -> Descent:
    curve = contracts.read(vectors.path / "curve.parquet", contracts.CURVE)
    rates = recorded(VectorsFacts, vectors)["speed"]["curve"]  # words per second up to each point
    seconds = np.cumsum([0, *(np.diff(curve["words"]) / rates[1:])])
    judged = curve["held_out_loss"].is_valid().to_numpy()
    return Descent(curve["updates"].to_numpy()[judged], seconds[judged], curve["held_out_loss"].to_numpy()[judged])


def draw(descents: dict[str, Descent]) -> Figure:
    """J(θ) against updates and, on the same vertical axis, against seconds."""
    figure = Figure(figsize=(10, 4.2), dpi=110, layout="constrained", facecolor="white")
    by_updates, by_seconds = figure.subplots(1, 2, sharey=True)
    for (name, (updates, seconds, loss)), color in zip(descents.items(), PALETTE, strict=False):
        _course(by_updates, updates, loss, name, color)
        _course(by_seconds, seconds, loss, name, color)
    for axes, unit in (by_updates, "updates"), (by_seconds, "seconds of training"):
        axes.axhline(loss[0], color=FAINT, lw=1, ls=":")  # all three start here
        axes.set_xscale("log")
        axes.margins(x=0.18)  # room for the names
        axes.set_xlabel(unit, color=FAINT)
        axes.grid(axis="y", color=GRID)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(GRID)
        axes.tick_params(which="both", colors=FAINT, length=0)
    by_updates.set_title("J(θ) on held-out windows, after each epoch", loc="left", fontsize=11, color=INK)
    return figure


def _course(axes: Axes, x: NDArray[np.number], loss: NDArray[np.float64], name: str, color: str) -> None:
    """Without the start, which has no place on a logarithmic axis; the name stands at the end."""
    axes.plot(x[1:], loss[1:], color=color, lw=1.8, marker="o" if len(x) < 30 else "", ms=3.5)
    axes.annotate(name, (x[-1], loss[-1]), (7, 0), textcoords="offset points", color=color, va="center")


if __name__ == "__main__":
    main()
