"""Plan a retraining before anything starts: which stages are reused, and which run."""

from pathlib import Path
from typing import NamedTuple

from configs.schema import Config
from flows.planning.pipeline import Outputs, Retrained, pipeline
from flows.query import vectors
from tasks.datasets.files import digest_of
from tasks.engine import kernels
from tasks.engine.outputs.readiness import ready
from tasks.engine.stage import Context, Stage
from tasks.engine.store import Dataset
from tasks.engine.workers import choice
from tasks.evaluation.stage import check_sets
from tasks.tracking.session import Tracker

TO_COME = Dataset(stage="", key="", path=Path(), digest="")  # stands for an output that does not exist yet


class PlannedStage(NamedTuple):
    label: str
    output: Dataset | None  # None if the stage has to run


class Plan(NamedTuple):
    steps: list[PlannedStage]
    outputs: Outputs

    @property
    def nothing_to_do(self) -> bool:
        """Return True if every stage is reused."""
        return all(step.output for step in self.steps)

    @property
    def text_to_come(self) -> bool:
        """Return True if some of the text has not been ingested yet."""
        return self.outputs.trained.documents == TO_COME


def plan(config: Config) -> Plan:
    """Look up every stage's output; a stage whose inputs do not exist yet has to run.

    Raises InputError for a file that a stage needs and that is missing or cannot be read, StoreError if the remote
    cannot be used.
    """
    kernels.check(config.runtime)
    choice.check(config.runtime)
    ready(Path(config.runtime.workspace), config.runtime.remote)
    context = Context(runtime=config.runtime)
    steps: list[PlannedStage] = []

    def look_up(stage: Stage, **arguments: object) -> Dataset:
        stage.inputs(**arguments)  # digests the files that it reads and no stage wrote
        inputs = [item for value in arguments.values() for item in (value if isinstance(value, list) else [value])]
        output = None if TO_COME in inputs else stage.find(context=context, **arguments)
        steps.append(PlannedStage(stage.label(arguments), output))
        return output or TO_COME

    planned = Plan(steps, pipeline(config, look_up))
    check_sets(config.evaluation)
    return planned


def already_done(config: Config, tracker: Tracker, planned: Plan) -> Retrained | None:
    """Return the finished run of the same result, if all its outputs are in the store; else None.

    First, runs that a killed process left RUNNING are closed, as at the start of every retraining. What MLflow has lost
    of the finished run is published again, and its vectors become those of the last retraining.
    """
    run_id = None
    with tracker.unless_required():
        tracker.close_abandoned()
        if planned.nothing_to_do:
            run_id = tracker.find_finished(planned.outputs.evaluation.key)
            if run_id:
                from flows.planning.repair import mend  # whose imports are slow, and a plan does not need them

                mend(config, tracker, planned.outputs, run_id)
    if run_id is None:
        return None
    workspace, learnt = Path(config.runtime.workspace), planned.outputs.trained.vectors
    vectors.make_latest(workspace, learnt, run_id, tracker.version_of(run_id))
    return Retrained(run_id, planned.outputs)


def recipe(config: Config) -> str:
    """Return a digest of everything that determines the result: data, config and code."""

    def follow(stage: Stage, **arguments: object) -> Dataset:
        return TO_COME.model_copy(update={"digest": digest_of(stage.inputs(**arguments))})

    return pipeline(config, follow).evaluation.digest
