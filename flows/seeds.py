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
from flows.retrain import LOGGED, retrain
from tasks.comparison.seeds import Noise, noise, publish
from tasks.datasets.files import digest_of, write_whole
from tasks.engine.store import LATEST
from tasks.tracking import session
from tasks.tracking.run import Run

log = logging.getLogger("w2v")


class Seeds(NamedTuple):
    """The parent MLflow run, the run of each seed, and the spread of each score."""

    run_id: str
    runs: dict[int, Retrained]
    noise: list[Noise]


@flow(name="retrain-seeds", **LOGGED)
@stoppable
def retrain_seeds(config: Config, seeds: int) -> Seeds:
    """seed, seed + 1, … → a run each, all from the same documents, tokens and vocabulary → one parent run"""
    config = required(config)
    by_hand = config.promotion.model_copy(update={"automatic": False})  # variants are compared, not promoted
    variants = [
        config.model_copy(update={"seed": seed, "name": shortened(f"{config.name} seed {seed}"), "promotion": by_hand})
        for seed in range(config.seed, config.seed + seeds)
    ]
    runs = {variant.seed: retrain(variant) for variant in variants}
    write_whole(Path(config.runtime.workspace) / LATEST, _vectors(runs[config.seed]))
    found = noise([run.outputs.evaluation.manifest.facts["metrics"] for run in runs.values()])

    session.close_abandoned(config)
    result = digest_of([run.outputs.evaluation.key for run in runs.values()])
    parent, finished = session.begin(config, str(running.id), f"{config.name}, {seeds} seeds", recipe=result)
    if finished:
        log.info("nothing to do: run %s already sums up these seeds", parent)
        return Seeds(parent, runs, found)
    uri = session.uri(config)
    publish(
        Run(uri, parent),
        Path(config.runtime.workspace),
        {seed: Run(uri, run.run_id) for seed, run in runs.items()},
        found,
    )
    Run(uri, parent).tag({session.RESULT: result})
    return Seeds(parent, runs, found)


def _vectors(run: Retrained) -> bytes:
    return run.outputs.trained.vectors.model_dump_json().encode()
