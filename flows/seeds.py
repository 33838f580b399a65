"""Train one config with several seeds, to measure how much the scores vary by chance."""

import logging
from pathlib import Path
from typing import NamedTuple

from prefect import flow
from prefect.runtime import flow_run as running

from configs.names import shortened
from configs.schema import Config
from flows.hooks.stops import stoppable
from flows.outbox import required
from flows.planning.pipeline import Retrained
from flows.query import vectors
from flows.retrain import LOGGED, retrain
from tasks.comparison.seeds import SeedSpread, publish, spreads
from tasks.datasets.files import digest_of
from tasks.engine.facts import EvaluationFacts, recorded
from tasks.tracking.names import RESULT
from tasks.tracking.session import Tracker

log = logging.getLogger("w2v")


class Seeds(NamedTuple):
    """The parent MLflow run, the run of each seed, and the spread of each score."""

    run_id: str
    runs: dict[int, Retrained]
    spreads: list[SeedSpread]


@flow(name="retrain-seeds", **LOGGED)
@stoppable
def retrain_seeds(config: Config, seeds: int) -> Seeds:
    """seed, seed + 1, … → a run each, all from the same documents, tokens and vocabulary → one parent run"""
    config = required(config)
    tracker = Tracker(config)
    by_hand = config.promotion.model_copy(update={"automatic": False})  # variants are compared, not promoted
    variants = [
        config.model_copy(update={"seed": seed, "name": shortened(f"{config.name} seed {seed}"), "promotion": by_hand})
        for seed in range(config.seed, config.seed + seeds)
    ]
    runs = {variant.seed: retrain(variant) for variant in variants}
    workspace = Path(config.runtime.workspace)
    first = runs[config.seed]
    vectors.make_latest(workspace, first.outputs.trained.vectors, first.run_id, tracker.version_of(first.run_id))
    found = spreads([recorded(EvaluationFacts, run.outputs.evaluation)["metrics"] for run in runs.values()])

    tracker.close_abandoned()
    result = digest_of([run.outputs.evaluation.key for run in runs.values()])
    parent, finished = tracker.begin(config, str(running.id), f"{config.name}, {seeds} seeds", recipe=result)
    if finished:
        log.info("nothing to do: run %s already sums up these seeds", parent)
        return Seeds(parent, runs, found)
    publish(tracker.run(parent), workspace, {seed: tracker.run(run.run_id) for seed, run in runs.items()}, found)
    tracker.run(parent).tag({RESULT: result})
    return Seeds(parent, runs, found)
