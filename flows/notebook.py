"""The commands as functions, for notebooks and scripts, with the servers and settings that `w2v` would use.

    from flows import notebook as w2v

    done = w2v.retrain("own.toml", ["training.epochs=3"])
    w2v.scores(done.run_id)

Where a function takes a config, it may be a TOML file or a `Config`; `settings` change it as `--set` does, and
`workspace` is the folder of outputs and runs. A wrong config is a ConfigError, and work that fails a PipelineError.
"""

import functools
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from configs.experiments import QUICKSTART, read
from configs.loading import check, check_once, set_values
from configs.schema import Config
from configs.workspaces import default, folder, placed
from flows.query.frames import neighbors, runs, scores
from flows.servers import systems
from tasks.tracking.names import LOSS

if TYPE_CHECKING:
    from flows.backfill import Filled
    from flows.planning.pipeline import Retrained
    from flows.reproduce import Reproduced
    from flows.seeds import Seeds
    from flows.sweep import SweepResult

__all__ = ["backfill", "config", "neighbors", "plan", "reproduce", "retrain", "runs", "scores", "seeds", "sweep"]

Source = Config | str | Path
Place = str | Path | None


def config(source: Source = QUICKSTART, settings: Sequence[str] = (), workspace: Place = None) -> Config:
    """Return a config, checked, for the other functions or for a look at its values.

    >>> config("own.toml", ["training.epochs=3"]).training.epochs
    3
    """
    check_once(settings)
    changes = placed(settings, folder(workspace) if workspace else None)
    if isinstance(source, Config):
        return check(set_values(source.model_dump(mode="json"), changes), "the config", changes)
    return read(Path(source), changes)


def plan(source: Source = QUICKSTART, settings: Sequence[str] = (), workspace: Place = None) -> pd.DataFrame:
    """Return one row a stage: whether it is reused, and the rows, bytes and seconds that it is expected to take.

    Nothing is run. What would go wrong later is an error now.
    """
    asked = _entered(config(source, settings, workspace))
    from flows.cli.output import plans
    from flows.planning import plan, warm_start
    from tasks.tracking.names import START
    from tasks.tracking.session import Tracker

    tracker = Tracker(asked)
    start = warm_start.chosen(asked, tracker)
    found, _ = plans.shape(start.config, tracker, plan.plan(start.config), start.tags.get(START, ""))
    return pd.DataFrame([stage.model_dump() for stage in found.stages]).set_index("stage")


def retrain(source: Source = QUICKSTART, settings: Sequence[str] = (), workspace: Place = None) -> "Retrained":
    """Train word vectors from text, log one MLflow run, and decide whether they become champion.

    A stage whose inputs have not changed is reused; if all are, the run that has the result is returned. Interrupted
    and called again, it continues where it stopped. Returns the run's id, and the outputs of its stages.

    >>> scores(retrain("own.toml").run_id)
    """
    asked = _entered(config(source, settings, workspace))
    _serve()
    from flows import retrain

    return retrain.retrain(asked)


def seeds(number: int, source: Source = QUICKSTART, settings: Sequence[str] = (), workspace: Place = None) -> "Seeds":
    """Train the config with that many seeds; returns a run for each, and how much each score varies by chance."""
    asked = _entered(config(source, settings, workspace))
    _serve()
    from flows import seeds

    return seeds.retrain_seeds(asked, number)


def sweep(
    grid: Sequence[str],
    source: Source = QUICKSTART,
    settings: Sequence[str] = (),
    workspace: Place = None,
    *,
    random: int | None = None,
    by: str = LOSS,
    keep_one_in: int = 3,
) -> "SweepResult":
    """Train the candidates of a grid, the worse ones not to the end, and write the best config.

    Each line of `grid` has the values of one key: "training.learning_rate=0.01,0.025", or with `random`, the number of
    candidates to draw, a range: "training.learning_rate=0.01..0.1". `by` is the score to rank by. Of each round one
    candidate in `keep_one_in` is trained further. Returns the parent run, the results, and the file of the best config.
    """
    asked = _entered(config(source, settings, workspace))
    _serve()
    from flows import sweep

    return sweep.sweep(asked, list(grid), random, by, keep_one_in)


def backfill(
    first: date,
    last: date,
    source: Source = QUICKSTART,
    settings: Sequence[str] = (),
    workspace: Place = None,
    *,
    alone: bool = False,
    skip_missing: bool = False,
) -> "list[Filled]":
    """Retrain once for each day from `first` to `last` of a corpus whose `ingestion.source` has the date in it.

    Each run trains on all days up to its own, or with `alone` on its own. Returns a run for each; finished ones are
    found again.
    """
    asked = _entered(config(source, settings, workspace))
    from flows import backfill

    wanted = backfill.partitions(asked, first, last, skip_missing=skip_missing)
    return backfill.backfill(asked, wanted, alone=alone, serve=_serve)


def reproduce(run: str, settings: Sequence[str] = (), workspace: Place = None) -> "Reproduced":
    """Rebuild a run from what it logged, in a new folder, and compare the two bit by bit.

    `run` is a run id, its first characters, or "champion". Returns the new run and what differs: `identical` is True
    if nothing does.
    """
    systems.check()
    place = folder(workspace) if workspace else default()
    _settle(place)
    from flows import reproduce

    original = reproduce.find(run, place, list(settings))
    _settle(Path(original.config.runtime.workspace))
    _serve()
    return reproduce.reproduce(original)


def _entered(asked: Config) -> Config:
    """Return the config, after preparing this process for it as the command would."""
    systems.check()
    _settle(Path(asked.runtime.workspace))
    return asked


@functools.cache
def _settle(workspace: Path) -> None:
    from flows.cli.app import enter

    _quiet()
    enter(workspace)


@functools.cache
def _quiet() -> None:
    from flows.servers.settings import quiet

    quiet()


def _serve() -> None:
    from flows.servers import ephemeral

    ephemeral.ensure_server()
