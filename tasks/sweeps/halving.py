"""Schedule the trainings of a sweep, and publish its result in the parent run.

Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): all candidates train for a share of their epochs and
pause; one in `keep_one_in` continues for `keep_one_in` times as many epochs, and so on to the end.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from configs.grids import described
from tasks.display import spreadsheet
from tasks.display.markdown import block, code, tabular
from tasks.orchestration import artifacts
from tasks.sweeps import figure
from tasks.sweeps.ranking import Mattered, Sweep, mean_ranks
from tasks.tracking.names import BEST, FIGURES, NOTE, REPORT, SCORES
from tasks.tracking.run import Run, gathered

ABOUT_RANKS = "The mean rank is over these scores, among the candidates that trained for equally long."
FINALISTS = 2  # train to the end, at least: a single one would have been chosen by short trainings alone


class Rung(NamedTuple):
    """A step of successive halving: how many candidates train for which share of the epochs."""

    candidates: int
    divisor: int  # divides the epochs


def rungs(candidates: int, epochs: int, keep_one_in: int) -> list[Rung]:
    """Return the rungs; the last one trains to the end.

    >>> rungs(20, 10, 3)
    [Rung(candidates=20, divisor=9), Rung(candidates=6, divisor=3), Rung(candidates=2, divisor=1)]
    """
    cuts = 0
    while keep_one_in > 1 and min(candidates // FINALISTS, epochs) >= keep_one_in ** (cuts + 1):
        cuts += 1
    return [Rung(candidates // keep_one_in**cut, keep_one_in ** (cuts - cut)) for cut in range(cuts + 1)]


def frame(sweep: Sweep) -> pd.DataFrame:
    """Return a row per candidate, best first."""
    rows = [
        {"rank": rank, **result.change, "epochs": result.epochs}
        | {score: result.metrics.get(score) for score in sweep.scores}
        | {"mean rank": mean, "run": result.run_id}
        for rank, (result, mean) in enumerate(zip(sweep.ranked, mean_ranks(sweep), strict=True), 1)
    ]
    return pd.DataFrame(rows)


def cells(sweep: Sweep) -> tuple[list[str], list[list[str]]]:
    """Return the same as formatted text: header and rows. Candidates that diverged have no rank."""
    table = frame(sweep)
    return [str(name) for name in table.columns], [
        [_cell(name, value) if result.run_id or name != "rank" else "–" for name, value in row.items()]
        for result, row in zip(sweep.ranked, table.to_dict("records"), strict=True)
    ]


def _cell(name: object, value: Any) -> str:
    if name == "run":
        return str(value) or "diverged"
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4g}"
    return "" if value is None else str(value)


def publish(parent: Run, workspace: Path, sweep: Sweep, best: str) -> None:
    """Write the best candidate's scores, the table, the figure and the best config to the parent run."""
    head, lines = cells(sweep)
    page = "\n\n".join(
        [
            f"{len(sweep.ranked)} candidates, ranked by `{sweep.by}`; "
            f"the best is {code(described(sweep.best.change))}, run `{sweep.best.run_id}`.",
            tabular(head, lines),
            ABOUT_RANKS,
            "\n".join(f"- {code(each.key)}: {share(each)}" for each in sweep.mattered),
            f"`{BEST}`, for `w2v retrain`:\n\n{block(best, 'toml')}",
        ]
    )
    parent.metrics({score: value for score, value in sweep.best.metrics.items() if score in sweep.scores}, step=0)
    with gathered(workspace, parent.id) as folder:
        for name in (FIGURES, SCORES):
            (folder / name).mkdir()
        spreadsheet.write(frame(sweep), folder / SCORES / "sweep.csv")
        figure.draw(sweep).savefig(folder / FIGURES / "what-mattered.png")
        (folder / BEST).write_text(best, encoding="utf-8")
        (folder / REPORT).write_text(page, encoding="utf-8")
        parent.files(folder)
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    artifacts.announce(parent, rows, page)
    parent.tag({NOTE: page})


def share(each: Mattered) -> str:
    """Return the share of the variance that a key explains, in words."""
    if each.share is None:
        return "unknown: this needs two or more candidates for each of its values"
    return f"{each.share:.0%} of the variance of the ranks"
