"""Measure the noise floor: the spread of a setting's scores when only the seed differs."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tasks.display import spreadsheet
from tasks.display.markdown import tabular
from tasks.tracking.names import ABOUT_SCORES, DEVIATION, NOTE, PARENT, REPORT, SCORES, SEEDS
from tasks.tracking.run import Run, gathered

CAUTION = (
    "Two runs whose scores differ by less than about three deviations may differ by their seeds alone; "
    "with few seeds, the deviation itself is only approximate."
)


class SeedSpread(NamedTuple):
    """One score over the seeds."""

    score: str
    mean: float
    deviation: float  # sample standard deviation over the seeds, with n − 1
    values: list[float]


def spreads(metrics: Sequence[dict[str, float]]) -> list[SeedSpread]:
    """Return mean and deviation of each score that all seeds have."""
    common = [name for name in metrics[0] if all(name in each for each in metrics)]
    columns = {name: [each[name] for each in metrics] for name in common if name.split("/")[0] not in ABOUT_SCORES}
    return [SeedSpread(name, statistics.fmean(row), statistics.stdev(row), row) for name, row in columns.items()]


def publish(parent: Run, workspace: Path, children: dict[int, Run], found: list[SeedSpread]) -> None:
    """Write means, deviations, a table and a page to the parent run, and make the seeds' runs its children."""
    for child in children.values():
        child.tag({PARENT: parent.id})
    parent.metrics({each.score: each.mean for each in found}, step=0)
    parent.metrics({DEVIATION.format(score=each.score.split("/")[1]): each.deviation for each in found}, step=0)
    frame = pd.DataFrame(
        [[each.score, each.mean, each.deviation, *each.values] for each in found],
        columns=["score", "mean", "deviation", *(f"seed {seed}" for seed in children)],
    )
    rows = [[each.score, f"{each.mean:.4g}", f"{each.deviation:.2g}", _listed(each.values)] for each in found]
    named = ", ".join(f"{seed} is run `{run.id}`" for seed, run in children.items())
    page = "\n\n".join(
        [
            f"One setting with {len(children)} seeds: {named}.",
            tabular(["score", "mean", "deviation", "seeds"], rows),
            CAUTION,
        ]
    )
    with gathered(workspace, parent.id) as folder:
        (folder / SCORES).mkdir()
        spreadsheet.write(frame, folder / SCORES / "seeds.csv")
        (folder / REPORT).write_text(page, encoding="utf-8")
        parent.files(folder)
    parent.tag({NOTE: page, SEEDS: " ".join(map(str, children))})


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
