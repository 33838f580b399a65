"""Sweep: train many candidates by successive halving, and write the config of the best."""

import logging
from pathlib import Path
from typing import NamedTuple

from prefect import flow
from prefect.runtime import flow_run as running

from configs import grids
from configs.grids import Change, described
from configs.names import shortened
from configs.schema import Config
from configs.writing import toml
from flows.deployment import directory
from flows.hooks.stops import stoppable
from flows.outbox import required
from flows.planning.candidates import OURS, candidates
from flows.planning.pipeline import Retrained
from flows.planning.plan import recipe
from flows.planning.warm_start import chosen
from flows.query import vectors
from flows.retrain import LOGGED, retrain
from tasks.datasets import contracts, outputs
from tasks.datasets.files import digest_of
from tasks.engine.facts import EvaluationFacts, recorded
from tasks.errors import InputError, Paused, TrainingError
from tasks.sweeps import halving, ranking
from tasks.sweeps.ranking import Result, Sweep
from tasks.tracking.names import LOSS, PARENT, RESULT
from tasks.tracking.session import Tracker
from tasks.training.stage import losses

directory.enter()  # for a worker, which runs this in a folder of its own
log = logging.getLogger("w2v")
FOLDER = "sweeps"  # in the workspace


class SweepResult(NamedTuple):
    """The parent MLflow run, the result, and the file of the best config."""

    run_id: str
    sweep: Sweep
    best: Path


@flow(name="sweep", **LOGGED)
@stoppable
def sweep(
    config: Config,
    grid: list[str],
    random: int | None = None,
    by: str = LOSS,
    keep_one_in: int = 3,
    output: Path | None = None,
) -> SweepResult:
    """grid → candidates → rungs of ever fewer and ever longer retrainings → one parent run, and the best config

    Each line of `grid` has the values of one key, such as `training.learning_rate=0.01,0.025`. With `random`, that many
    candidates are drawn instead of training all combinations, and a line may have a range (`0.01..0.1`).

    Args:
        config: What all candidates have in common.
        grid: One key and its values in each line, such as `training.learning_rate=0.01,0.025`.
        random: Draw this many candidates instead of training all combinations.
        by: The score that ranks them: `loss/held_out`, or one of an evaluation set.
        keep_one_in: Of this many candidates of a round, one goes on; 1 trains all to the end.
        output: The file for the best config; by default in the workspace's folder `sweeps`.
    """
    config = required(config)
    tracker = Tracker(config)
    config = chosen(config, tracker).config
    changes = candidates(config, grid, random, by, output)
    variants = [grids.changed(config, change) for change in changes]
    result = digest_of([recipe(config), *map(recipe, variants), by, keep_one_in])
    tracker.close_abandoned()
    workspace, title = Path(config.runtime.workspace), f"{config.name}, sweep of {len(changes)}"
    parent, finished = tracker.begin(config, str(running.id), title, recipe=result)

    rounds = Rounds(config, tracker, by, parent)
    epochs = min(variant.training.epochs for variant in variants)
    rungs = halving.rungs(len(changes), epochs, keep_one_in if ranking.comparable(list(changes[0])) else 1)
    for number, rung in enumerate(rungs):
        share = f"1/{rung.divisor} of the epochs" if rung.divisor > 1 else "all epochs"
        log.info("rung %d of %d: %d candidates, %s", number + 1, len(rungs), rung.candidates, share)
        rounds.train(rounds.best(rung.candidates) if number else changes, rung.divisor)

    found = ranking.sum_up(rounds.trained, by)
    learnt = rounds.runs[found.best.run_id].outputs.trained.vectors
    vectors.make_latest(workspace, learnt, found.best.run_id, tracker.version_of(found.best.run_id))
    best = toml(grids.changed(config, found.best.change), _comment(found))
    if finished:
        log.info("nothing to do: run %s already sums up this sweep", parent)
    else:
        run = tracker.run(parent)
        halving.publish(run, workspace, found, best)
        run.tag({RESULT: result})
    return SweepResult(parent, found, _write(output or workspace / FOLDER / f"{parent[:8]}.toml", best))


class Rounds:
    """The rungs so far. Each candidate is an ordinary retraining, which pauses and continues, or is reused."""

    def __init__(self, config: Config, tracker: Tracker, by: str, parent: str) -> None:
        self._config, self._tracker, self._by, self._parent = config, tracker, by, parent
        self.trained: list[list[Result]] = []
        self.runs: dict[str, Retrained] = {}

    def best(self, number: int) -> list[Change]:
        """Return the best candidates of the last rung by J(θ), at most `number`."""
        return [result.change for result in ranking.ranked(self.trained[-1], LOSS) if result.run_id][:number]

    def train(self, changes: list[Change], divisor: int) -> None:
        """Train a rung. Raises TrainingError if all candidates diverge, InputError if they cannot be ranked."""
        results = [self._train(change, divisor) for change in changes]
        if not any(result.run_id for result in results):
            raise TrainingError(
                "all candidates diverged\nexpected  at least one that does not\n"
                "Lower training.learning_rate, training.batch_size or training.damping, or add training.warmup."
            )
        if self._by == LOSS and len({run.outputs.trained.held_out.digest for run in self.runs.values()}) > 1:
            raise InputError(
                "the candidates were not evaluated on the same held-out windows, so J(θ) cannot be compared\n"
                "The text has changed during the sweep: start the sweep again."
            )
        self.trained.append(results)

    def _train(self, change: Change, divisor: int) -> Result:
        variant = grids.changed(self._config, change)
        by_hand = variant.promotion.model_copy(update={"automatic": False})  # candidates are compared, not promoted
        name = shortened(f"{self._config.name} {described(change)}")
        variant = variant.model_copy(update={"name": name, "promotion": by_hand})
        number, epochs = len(self.trained), variant.training.epochs // divisor
        log.info("· %s, to epoch %d of %d", described(change), epochs, variant.training.epochs)
        try:
            done = retrain(variant, parent=self._parent, pause_after=epochs if divisor > 1 else 0)
        except Paused as paused:
            self._tracker.stop(paused.run_id)
            return self._judged(Result(change, number, epochs, paused.run_id, _at(epochs, paused.losses)), LOSS)
        except TrainingError as error:
            log.warning("✗ %s is dropped: %s", described(change), str(error).splitlines()[0])
            return Result(change, number, epochs, "", {})
        self._tracker.run(done.run_id).tag({PARENT: self._parent})
        self.runs[done.run_id] = done
        if divisor > 1:  # a reused run is trained to its end: compare it at the epoch where the others pause
            curve = contracts.read(done.outputs.trained.vectors.file("curve.parquet"), contracts.CURVE)
            return self._judged(Result(change, number, epochs, done.run_id, _at(epochs, losses(curve))), LOSS)
        metrics = recorded(EvaluationFacts, done.outputs.evaluation)["metrics"]
        return self._judged(Result(change, number, epochs, done.run_id, metrics), self._by)

    def _judged(self, result: Result, by: str) -> Result:
        """Return the result. Raises InputError now, not after the other candidates, if it cannot be ranked."""
        ranking.loss(result, by)
        return result


def _at(epochs: int, losses: list[float]) -> dict[str, float]:
    return {LOSS: losses[epochs]} if losses else {}


def _comment(found: Sweep) -> str:
    best = found.best
    return (
        f"{OURS.removeprefix('# ')}{len(found.ranked)} candidates: {described(best.change)}\n"
        f"{found.by} = {best.metrics[found.by]:.4g} in run {best.run_id}"
    )


def _write(target: Path, text: str) -> Path:
    outputs.place_text(target, text)
    return target
