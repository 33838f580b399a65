"""A retraining at work: its MLflow run, if there is one, and what becomes of each stage and of the result.

While MLflow cannot be reached and tracking.required is not set, there is no run: nothing is logged, and the result is
kept for `w2v sync`.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from configs.schema import Config
from flows import outbox
from flows.planning.pipeline import Corpus, Outputs, Retrained, pipeline
from flows.planning.plan import Plan
from flows.planning.repair import mend
from flows.query import vectors
from tasks.comparison import nights
from tasks.engine import progress
from tasks.engine.stage import Context, Stage
from tasks.engine.store import Dataset
from tasks.novelty import novelty
from tasks.orchestration import artifacts
from tasks.promotion.task import promotion
from tasks.publication import publish
from tasks.tracking.names import START
from tasks.tracking.session import Tracker
from tasks.tracking.single_flight import Turn

log = logging.getLogger("w2v")
NO_RUN = Turn("", finished=False)


class Retraining(NamedTuple):
    """One retraining of a flow run, from the moment when its MLflow run is known."""

    config: Config
    tracker: Tracker
    planned: Plan
    recipe: str
    flow_run_id: str
    turn: Turn
    context: Context  # of its stages; its tracking address is empty where nothing is logged
    took: dict[str, float]  # seconds by stage

    def run(self, stage: Stage, **arguments: Any) -> Dataset:
        """Run a stage as a Prefect task."""
        with self._timed(stage.name):
            return self._run(stage, **arguments)

    def _run(self, stage: Stage, **arguments: Any) -> Dataset:
        if stage.name == "training":
            there = [step.output for step in self.planned.steps]
            draws = arguments["draws"]
            progress.drawn(draws, reused=all(draw in there for draw in draws))
        return stage(context=self.context, **arguments)

    def compare(self, corpus: Corpus) -> None:
        """Log what is new in the text against the champion's."""
        if self.context.tracking_uri:
            with self.tracker.unless_required():
                look = outbox.patient(novelty, self.config)
                look(self.config, corpus.documents, corpus.tokens, corpus.vocabulary, self.context)

    def publish(self, outputs: Outputs, *, decide: bool) -> Retrained:
        """Publish the result and perhaps decide about it, or keep it for later; its vectors are now the latest."""
        if not self._published(outputs, decide=decide):
            outbox.keep(self.config, self.tracker, self.flow_run_id, self.recipe, outputs)
            return self._latest(Retrained("", outputs))
        documents, _, vocabulary = outputs.trained[:3]
        nights.keep(self.config, self.tracker.run(self.turn.run_id), documents, vocabulary, self.took)
        return self._latest(Retrained(self.turn.run_id, outputs))

    def restore(self) -> Retrained:
        """Return the result that the run already holds; rebuild what the store has lost of it, and what MLflow has."""
        log.info("run %s already holds this result: outputs missing from the store are rebuilt", self.turn.run_id)
        outputs = pipeline(self.config, self.run)
        with self.tracker.unless_required():
            mend(self.config, self.tracker, outputs, self.turn.run_id)
        artifacts.announce_found(self.tracker.run(self.turn.run_id))
        return self._latest(Retrained(self.turn.run_id, outputs))

    def _published(self, outputs: Outputs, *, decide: bool) -> bool:
        """Return True if MLflow has the result, and the decision about it."""
        if self.context.tracking_uri:
            with self.tracker.unless_required():
                trained, evaluation = outputs.trained._asdict(), outputs.evaluation
                upload = outbox.patient(publish, self.config)
                with self._timed("publication"):
                    upload(config=self.config, **trained, evaluation=evaluation, context=self.context)
                if decide:
                    with self._timed("promotion"):
                        decision = outbox.patient(promotion, self.config)(config=self.config, context=self.context)
                    artifacts.mark(decision.note)
                return True
        return False

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.took[stage] = self.took.get(stage, 0.0) + time.monotonic() - began

    def _latest(self, done: Retrained) -> Retrained:
        workspace, version = Path(self.config.runtime.workspace), self.tracker.version_of(done.run_id)
        vectors.make_latest(workspace, done.outputs.trained.vectors, done.run_id, version)
        return done


def begin(
    config: Config,
    tracker: Tracker,
    planned: Plan,
    flow_run_id: str,
    *,
    recipe: str,
    tags: dict[str, str],
    reproduces: str,
    parent: str,
    pause_after: int,
) -> Retraining:
    """Begin or continue the MLflow run of this recipe, with these tags; wait if another process makes the result."""
    turn = NO_RUN
    with tracker.unless_required():
        turn = tracker.begin(config, flow_run_id, recipe=recipe, reproduces=reproduces, parent=parent)
        if tags and not turn.finished:
            tracker.run(turn.run_id).tag(tags)
            log.info("  %-12s %s", "warm start", tags[START])
    context = Context(
        runtime=config.runtime,
        tracking_uri=tracker.uri if turn.run_id and not turn.finished else "",
        run_id=turn.run_id or recipe,  # by which the outputs are leased
        pause_after=0 if turn.finished else pause_after,
    )
    return Retraining(config, tracker, planned, recipe, flow_run_id, turn, context, {})
