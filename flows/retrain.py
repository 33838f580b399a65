"""The main job: from text to one complete MLflow run."""

import functools
import logging
from pathlib import Path
from typing import Any, NamedTuple

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.runtime import flow_run as running

from configs.schema import Config
from flows.pipeline import Outputs, pipeline
from flows.plan import plan, recipe
from tasks import _tracking
from tasks._stage import Context, Stage
from tasks._store import LATEST, Dataset, write_whole
from tasks.publication import publish

log = logging.getLogger("w2v")


class Retrained(NamedTuple):
    """Where a retraining ended: its MLflow run, and the datasets behind it."""

    run_id: str
    outputs: Outputs


def close_run(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Whatever way the flow ends, so does its MLflow run. (Prefect passes these names as keywords.)"""
    config = Config.model_validate(flow_run.parameters["config"])
    status = "FINISHED" if state.is_completed() else "FAILED" if state.is_failed() else "KILLED"
    _tracking.finish_flow_run(config, str(flow_run.id), status)


@flow(
    name="retrain",
    flow_run_name="{config.name}",
    on_completion=[close_run],
    on_failure=[close_run],
    on_crashed=[close_run],
    on_cancellation=[close_run],
    result_serializer="json",
)
def retrain(config: Config) -> Retrained:
    """text → documents → tokens → vocabulary → windows → vectors → evaluation → one MLflow run"""
    _tracking.close_abandoned(config)
    if finished := already_done(config):
        log.info("nothing to do: run %s holds this very result", finished.run_id)
        return finished
    run_id = _tracking.start(config, str(running.id), recipe=recipe(config))
    context = Context(runtime=config.runtime, tracking_uri=_tracking.uri(config), run_id=run_id)

    outputs = pipeline(config, functools.partial(_run, context))
    publish(config=config, **outputs.trained._asdict(), evaluation=outputs.evaluation, context=context)
    write_whole(Path(config.runtime.workspace) / LATEST, outputs.trained.vectors.model_dump_json().encode())
    return Retrained(run_id, outputs)


def already_done(config: Config) -> Retrained | None:
    """The finished run of the same result, if every stage of it is still in the store."""
    planned = plan(config)
    if not planned.nothing_to_do:
        return None
    run_id = _tracking.find_finished(config, planned.outputs.evaluation.key)
    return Retrained(run_id, planned.outputs) if run_id else None


def _run(context: Context, stage: Stage, **arguments: object) -> Dataset:
    return stage(context=context, **arguments)
