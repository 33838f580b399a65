"""Plot a sweep: the score of each candidate over each key, the key that mattered most first."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reports.figures import FAINT, INK, PALETTE, blank, tidy
from tasks.sweeps.ranking import Mattered, Sweep
from tasks.tracking.names import LOSS

PER_ROW = 3
LOGARITHMIC = 5  # ratio of largest to smallest number from which the scale is logarithmic


def draw(sweep: Sweep) -> Figure:
    """Plot the first rung, where all candidates were trained for equally long; a ring marks the final best one."""
    done = [result for result in sweep.first if result.run_id]
    scores = [result.metrics[sweep.explained] for result in done]
    down = -(-len(sweep.mattered) // PER_ROW)
    figure = blank(4 * min(PER_ROW, len(sweep.mattered)), 0.5 + 3.2 * down)
    first = None
    for number, each in enumerate(sweep.mattered):
        panel = figure.add_subplot(down, min(PER_ROW, len(sweep.mattered)), number + 1, sharey=first)
        first = first or panel
        places = _places(panel, [result.change[each.key] for result in done])
        panel.scatter(places, scores, color=PALETTE[0], s=28, alpha=0.8)
        winner = [result.change for result in done].index(sweep.best.change)
        panel.scatter(places[winner], scores[winner], s=130, facecolor="none", edgecolor=PALETTE[1], lw=1.8)
        panel.set_title(_title(each), loc="left", fontsize=10, color=INK)
        if number % PER_ROW == 0:
            panel.set_ylabel("J(θ) on held-out windows" if sweep.explained == LOSS else sweep.explained, color=FAINT)
        tidy(panel)
    epochs = " or ".join(str(number) for number in sorted({result.epochs for result in done}))
    figure.suptitle(
        f"after {epochs} epochs" if epochs != "1" else "after an epoch", x=0.01, ha="left", fontsize=9, color=FAINT
    )
    return figure


def _places(panel: Axes, values: list[Any]) -> list[Any]:
    """Return numbers as they are; give other values positions in order of first appearance."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        low, high = min(values), max(values)
        if low > 0 and high >= LOGARITHMIC * low:
            panel.set_xscale("log")
        if len(ticks := sorted(set(values))) <= 6:
            panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            panel.minorticks_off()
        return values
    names = list(dict.fromkeys(str(value) for value in values))
    panel.set_xticks(np.arange(len(names)), names)
    panel.set_xlim(-0.5, len(names) - 0.5)
    return [names.index(str(value)) for value in values]


def _title(each: Mattered) -> str:
    return each.key if each.share is None else f"{each.key}  {each.share:.0%} of the variance"
