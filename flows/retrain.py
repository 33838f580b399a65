"""The main flow: from text to one complete MLflow run."""

import logging
from contextlib import suppress
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.runtime import flow_run as running

from configs.schema import Config
from flows import retraining
from flows.deployment import directory
from flows.hooks import failures
from flows.hooks.names import named
from flows.hooks.stops import stoppable
from flows.planning import warm_start
from flows.planning.foresight import foresee_once
from flows.planning.pipeline import Outputs, Retrained, judge, learn, prepare
from flows.planning.plan import already_done, plan, recipe
from flows.servers import ephemeral
from tasks.engine import progress
from tasks.errors import PipelineError
from tasks.orchestration import artifacts
from tasks.orchestration.flow_runs import FlowRuns, server
from tasks.preflight import connection
from tasks.tracking.names import NOT_ON_PAGE
from tasks.tracking.session import Tracker

directory.enter()  # for a worker, which runs this in a folder of its own
log = logging.getLogger("w2v")
log.setLevel(logging.INFO)  # Prefect shows this logger's records, but sets no level


def close_run(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """End the MLflow run with the status of its flow run. (Prefect passes these names as keywords.)"""
    tracker = Tracker(Config.model_validate(flow_run.parameters["config"]))
    status = "FINISHED" if state.is_completed() else "FAILED" if state.is_failed() else "KILLED"
    missing = ephemeral.missing()
    if missing and (run := tracker.of_flow_run(str(flow_run.id))):
        run.tag({NOT_ON_PAGE: missing})
    tracker.finish(str(flow_run.id), status)
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

    Args:
        config: What to learn from, how, how it is judged and decided about. Each section has its own fields.
        reproduces: Leave it empty; the run that this one repeats, if `w2v reproduce` asks.
        parent: Leave it empty; the run below which this one is shown, if a sweep asks.
        pause_after: Leave it at 0; the epoch after which the training pauses, if a sweep asks.
    """
    tracker = Tracker(config)
    with tracker.unless_required():
        connection(tracker)
    config, start = warm_start.chosen(config, tracker)
    planned = plan(config)
    if not reproduces and (finished := already_done(config, tracker, planned)):
        log.info("nothing to do: run %s already holds this result", finished.run_id)
        artifacts.announce_found(tracker.run(finished.run_id))
        return finished
    if not parent:
        for text in foresee_once(config, tracker, planned):
            progress.warn(text)

    work = retraining.begin(
        config,
        tracker,
        planned,
        str(running.id),
        recipe=recipe(config),
        tags=start,
        reproduces=reproduces,
        parent=parent,
        pause_after=pause_after,
    )
    if work.turn.finished:
        return work.restore()
    corpus = prepare(config, work.run)
    work.compare(corpus)
    trained = learn(config, corpus, work.run)
    scores = judge(config, trained, work.run)
    return work.publish(Outputs(trained, scores), decide=config.promotion.automatic and not reproduces)
