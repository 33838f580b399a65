"""The main flow: from text to one complete MLflow run."""

import functools
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.runtime import flow_run as running

from configs.schema import Config
from flows import outbox
from flows.deployment import directory
from flows.hooks import failures
from flows.hooks.names import named
from flows.hooks.stops import stoppable
from flows.planning.foresight import foresee_once
from flows.planning.pipeline import Corpus, Outputs, Retrained, pipeline
from flows.planning.plan import Plan, already_done, plan, recipe
from flows.planning.repair import mend
from flows.planning.warm_start import CHOSEN, chosen
from flows.query import vectors
from flows.servers import ephemeral
from tasks.engine import progress
from tasks.engine.stage import Context, Stage
from tasks.engine.store import Dataset
from tasks.errors import PipelineError
from tasks.novelty import novelty
from tasks.orchestration import artifacts
from tasks.orchestration.flow_runs import FlowRuns, server
from tasks.preflight import connection
from tasks.promotion.task import promotion
from tasks.publication import publish
from tasks.tracking import session
from tasks.tracking.run import Run

directory.enter()  # for a worker, which runs this in a folder of its own
log = logging.getLogger("w2v")
log.setLevel(logging.INFO)  # Prefect shows this logger's records, but sets no level
NOT_ON_PAGE = "prefect.missing"  # the tag with the reason why Prefect has no record of the run


def close_run(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """End the MLflow run with the status of its flow run. (Prefect passes these names as keywords.)"""
    config = Config.model_validate(flow_run.parameters["config"])
    status = "FINISHED" if state.is_completed() else "FAILED" if state.is_failed() else "KILLED"
    if missing := ephemeral.missing():
        session.tag_flow_run(config, str(flow_run.id), {NOT_ON_PAGE: missing})
    session.finish_flow_run(config, str(flow_run.id), status)
    if state.is_completed() and ephemeral.replaced():
        with suppress(PipelineError), server() as client:  # if the server is gone again, more is missing anyway
            FlowRuns(client).complete_tasks(flow_run)


# the options of every flow that takes a config
LOGGED: dict[str, Any] = {
    "flow_run_name": named,
    "on_completion": [close_run],
    "on_failure": [close_run, failures.tell],
    "on_crashed": [close_run, failures.tell],
    "on_cancellation": [close_run],
    "result_serializer": "json",
}


@flow(name="retrain", **LOGGED)
@stoppable
def retrain(config: Config, reproduces: str = "", parent: str = "", pause_after: int = 0) -> Retrained:
    """text → documents → tokens → vocabulary → windows → vectors → evaluation → one MLflow run → champion or not

    A run that `reproduces` another names it in a tag, and is made even if the other already holds the same result. A
    run with a `parent` is shown below it. If another process is making the same result, wait for it. Raises Paused
    after `pause_after` epochs, if there are more; called again, the training continues.
    """
    with session.unless_required(config):
        connection(config)
    config, noted = chosen(config)
    planned, result = plan(config), recipe(config)
    if not reproduces and (finished := already_done(config, planned)):
        log.info("nothing to do: run %s already holds this result", finished.run_id)
        artifacts.announce_found(Run(session.uri(config), finished.run_id))
        return finished
    if not parent:
        for text in foresee_once(config, planned):
            progress.warn(text)
    run_id, made = "", False
    with session.unless_required(config):
        run_id, made = session.begin(config, str(running.id), recipe=result, reproduces=reproduces, parent=parent)
        if noted and not made:
            Run(session.uri(config), run_id).tag(noted)
            log.info("  %-12s %s", "warm start", noted[CHOSEN])
    if made:
        return _again(config, planned, run_id)
    place = session.uri(config) if run_id else ""  # without MLflow, the recipe stands for the run id
    context = Context(runtime=config.runtime, tracking_uri=place, run_id=run_id or result, pause_after=pause_after)

    outputs = pipeline(config, functools.partial(_run, context, planned), functools.partial(_look, config, context))
    if not _publish(config, context, outputs, decide=config.promotion.automatic and not reproduces):
        run_id = ""
        outbox.keep(config, str(running.id), result, outputs)
    vectors.make_latest(Path(config.runtime.workspace), outputs.trained.vectors)
    return Retrained(run_id, outputs)


def _again(config: Config, planned: Plan, run_id: str) -> Retrained:
    """Return the outputs of a finished run of another process or store; restore what MLflow has lost."""
    log.info("run %s already holds this result: outputs missing from the store are rebuilt", run_id)
    context = Context(runtime=config.runtime, run_id=run_id)
    outputs = pipeline(config, functools.partial(_run, context, planned))
    with session.unless_required(config):
        mend(config, outputs, run_id)
    vectors.make_latest(Path(config.runtime.workspace), outputs.trained.vectors)
    artifacts.announce_found(Run(session.uri(config), run_id))
    return Retrained(run_id, outputs)


def _run(context: Context, planned: Plan, stage: Stage, **arguments: Any) -> Dataset:
    if draws := arguments.get("draws"):
        there = [step.output for step in planned.steps]
        progress.drawn(draws, reused=all(draw in there for draw in draws))
    return stage(context=context, **arguments)


def _look(config: Config, context: Context, corpus: Corpus) -> None:
    if context.tracking_uri:
        with session.unless_required(config):
            outbox.patient(novelty, config)(config=config, **corpus._asdict(), context=context)


def _publish(config: Config, context: Context, outputs: Outputs, *, decide: bool) -> bool:
    """Publish the run, and decide about its promotion; return False if MLflow does not have it."""
    if context.tracking_uri:
        with session.unless_required(config):
            evaluation = outputs.evaluation
            outbox.patient(publish, config)(
                config=config, **outputs.trained._asdict(), evaluation=evaluation, context=context
            )
            if decide:
                outbox.patient(promotion, config)(config=config, context=context)
            return True
    return False
