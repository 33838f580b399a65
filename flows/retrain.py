"""The main job: from text to one complete MLflow run."""

import functools
import logging
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.runtime import flow_run as running

from configs.schema import Config
from flows import failures, vectors
from flows.naming import named
from flows.pipeline import Corpus, Retrained, pipeline
from flows.plan import already_done, plan, recipe
from flows.starts import CHOSEN, chosen
from tasks import _announcement, _progress, _tracking
from tasks._runs import Run
from tasks._stage import Context, Stage
from tasks._store import Dataset
from tasks.connection import connection
from tasks.novelty import novelty
from tasks.promotion import promotion
from tasks.publication import publish

log = logging.getLogger("w2v")
log.setLevel(logging.INFO)  # Prefect shows what it says, but sets no level


def close_run(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Whatever way the flow ends, so does its MLflow run. (Prefect passes these names as keywords.)"""
    config = Config.model_validate(flow_run.parameters["config"])
    status = "FINISHED" if state.is_completed() else "FAILED" if state.is_failed() else "KILLED"
    _tracking.finish_flow_run(config, str(flow_run.id), status)


# of every flow of a config
LOGGED: dict[str, Any] = {
    "flow_run_name": named,
    "on_completion": [close_run],
    "on_failure": [close_run, failures.tell],
    "on_crashed": [close_run, failures.tell],
    "on_cancellation": [close_run],
    "result_serializer": "json",
}


@flow(name="retrain", **LOGGED)
def retrain(config: Config, reproduces: str = "", parent: str = "", pause_after: int = 0) -> Retrained:
    """text → documents → tokens → vocabulary → windows → vectors → evaluation → one MLflow run → champion or not

    A run that `reproduces` another names it in a tag, and is made even where that other one holds the same result.
    One that is made for a `parent` run is shown below it. Raises Paused when the training has done `pause_after` epochs
    of more; called again, it goes on from there.
    """
    connection(config)
    config, noted = chosen(config)
    planned = plan(config)
    if not reproduces and (finished := already_done(config, planned)):
        log.info("nothing to do: run %s holds this very result", finished.run_id)
        _announcement.announce_found(Run(_tracking.uri(config), finished.run_id))
        return finished
    run_id = _tracking.start(config, str(running.id), recipe=recipe(config), reproduces=reproduces, parent=parent)
    if noted:
        Run(_tracking.uri(config), run_id).tag(noted)
        log.info("  %-12s %s", "warm start", noted[CHOSEN])
    context = Context(
        runtime=config.runtime, tracking_uri=_tracking.uri(config), run_id=run_id, pause_after=pause_after
    )

    def look(corpus: Corpus) -> None:
        novelty(config=config, **corpus._asdict(), context=context)

    outputs = pipeline(config, functools.partial(_run, context), look)
    publish(config=config, **outputs.trained._asdict(), evaluation=outputs.evaluation, context=context)
    if config.promotion.automatic and not reproduces:
        promotion(config=config, context=context)
    vectors.make_latest(Path(config.runtime.workspace), outputs.trained.vectors)
    return Retrained(run_id, outputs)


def _run(context: Context, stage: Stage, **arguments: Any) -> Dataset:
    if draws := arguments.get("draws"):
        _progress.drawn(draws)
    return stage(context=context, **arguments)
