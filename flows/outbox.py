"""Keep results while MLflow cannot be reached, in `<workspace>/waiting/<recipe>.json`, until `w2v sync` uploads them.

The files hold only references: the outputs are in the store, and `w2v gc` keeps them until they are uploaded.
"""

import logging
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from configs.addresses import shown
from configs.schema import Config
from flows.planning.pipeline import Outputs
from tasks.comparison import nights
from tasks.datasets.files import undamaged, write_whole
from tasks.engine.file_lock import Held
from tasks.engine.leases import Uses
from tasks.engine.outputs.readiness import address_of, ready
from tasks.engine.retries import may_pass
from tasks.engine.stage import Context
from tasks.engine.store import Dataset, FrozenModel, Store
from tasks.errors import StoreError, TrackingError
from tasks.novelty import novelty
from tasks.promotion.task import promotion
from tasks.publication import publish
from tasks.tracking.session import Tracker

log = logging.getLogger("w2v")
FOLDER = "waiting"
PAUSE = 5.0  # seconds between two attempts
P = ParamSpec("P")
R = TypeVar("R")


class Waiting(FrozenModel):
    config: Config
    place: str  # the address of MLflow, without its password
    flow_run_id: str
    recipe: str
    when: datetime
    outputs: Outputs


def required(config: Config) -> Config:
    """Return the config with tracking.required = true, for flows that compare runs and need each of them in MLflow."""
    return config.model_copy(update={"tracking": config.tracking.model_copy(update={"required": True})})


def patient(task: Task[P, R], config: Config) -> Task[P, R]:
    """Return the task with retries while a server cannot be reached, for at most tracking.patience seconds."""
    deadline = math.inf

    def passes(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
        nonlocal deadline
        if not may_pass(task, task_run, state):
            return False
        if deadline == math.inf:
            deadline = time.monotonic() + config.tracking.patience
            text = "%s\nAll work is kept: waiting up to %.0f s; after that, the same command continues from here."
            log.warning(text, state.data, config.tracking.patience)
        return time.monotonic() < deadline

    retries = math.ceil(config.tracking.patience / PAUSE)
    return task.with_options(retries=retries, retry_delay_seconds=PAUSE, retry_condition_fn=passes)


def keep(config: Config, tracker: Tracker, flow_run_id: str, recipe: str, outputs: Outputs) -> None:
    """Record a result for upload; the same result is recorded only once."""
    waiting = Waiting(
        config=config,
        place=shown(tracker.uri),
        flow_run_id=flow_run_id,
        recipe=recipe,
        when=datetime.now(UTC),
        outputs=outputs,
    )
    file = Path(config.runtime.workspace) / FOLDER / f"{recipe}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, waiting.model_dump_json(indent=1).encode())
    _use(config, recipe, outputs)
    log.warning("The result is kept until MLflow can be reached: `w2v sync --workspace %s` uploads it", file.parents[1])


def sync(workspace: Path) -> list[str]:
    """Upload the kept results, oldest first, and decide about each as its retraining would have; return the run ids."""
    folder, runs = workspace / FOLDER, []
    folder.mkdir(parents=True, exist_ok=True)
    with Held(folder / ".lock"):
        files = {file: _read(file) for file in folder.glob("*.json")}
        for file, waiting in sorted(files.items(), key=lambda each: each[1].when):
            runs.append(_upload(workspace, file, waiting))
            file.unlink()
            Uses(workspace, waiting.config.runtime.remote).forget(waiting.recipe)
            log.info("✓ %s of %s is now run %s", waiting.config.name, f"{waiting.when:%Y-%m-%d %H:%M}", runs[-1])
    return runs


def share(workspace: Path) -> int:
    """Put what the workspace's runs use into the remote, where it was away before; return the number of outputs.

    Raises StoreError if the remote cannot be used now.
    """
    store, uses = Store(workspace / "store", address_of(workspace)), Uses(workspace)
    if not store.remote:
        return 0
    ready(workspace, store.remote)
    with uses.lock:
        places = [place.split("/") for place in sorted(uses.of(uses.runs()))]
    missing = [place for place in places if not store.shared(*place)]
    outputs = [output for place in missing if (output := Store(store.root).find(*place))]
    for output in outputs:
        store.share(output)
    return len(outputs)


def _read(file: Path) -> Waiting:
    with undamaged(file, "Delete it and retrain with the same config and data: nothing is computed again."):
        return Waiting.model_validate_json(file.read_bytes())


def _upload(workspace: Path, file: Path, waiting: Waiting) -> str:
    """Make the result's run, or complete the run that it had; if a run of the result exists by now, return that."""
    runtime = waiting.config.runtime.model_copy(update={"workspace": str(workspace)})
    config = waiting.config.model_copy(update={"runtime": runtime})
    tracker = Tracker(config)
    if shown(tracker.uri) != waiting.place:
        raise TrackingError(
            f"{file} belongs to another MLflow\nexpected  {waiting.place}\nfound     {shown(tracker.uri)}\n"
            "Set MLFLOW_TRACKING_URI to the expected address; if that server has moved, change `place` in the file."
        )
    outputs = _found(Store(workspace / "store", runtime.remote), file, waiting.outputs)
    if finished := tracker.find_finished(outputs.evaluation.key):
        return finished
    tracker.close_abandoned()
    name = f"{config.name} {waiting.when.astimezone():%m-%d %H:%M:%S}"
    run_id, made = tracker.begin(config, waiting.flow_run_id, name, waiting.recipe)
    if made:
        return run_id
    _use(config, run_id, outputs)
    context = Context(runtime=runtime, tracking_uri=tracker.uri, run_id=run_id)
    novelty.fn(config, *outputs.trained[:3], context)
    publish.fn(config, **outputs.trained._asdict(), evaluation=outputs.evaluation, context=context)
    if config.promotion.automatic:
        promotion.fn(config, context)
    tracker.finish(waiting.flow_run_id, "FINISHED")
    nights.remake(workspace, tracker.uri, config.tracking.registered_model)
    return run_id


def _use(config: Config, name: str, outputs: Outputs) -> None:
    trained, uses = outputs.trained, Uses(Path(config.runtime.workspace), config.runtime.remote)
    for each in filter(None, (*trained[:4], *trained.draws, trained.vectors, trained.phrases, outputs.evaluation)):
        uses.note(name, each.stage, each.key)


def _found(store: Store, file: Path, outputs: Outputs) -> Outputs:
    """Find the outputs in the store, which may have moved. Raises StoreError if one is missing or damaged."""

    def find(each: Dataset) -> Dataset:
        if found := store.find(each.stage, each.key):
            return found
        raise StoreError(
            f"{file} needs {each.stage}/{each.key}, which is missing or damaged in {store.root}\n"
            "Move the file out of its folder and retrain with the same config and data."
        )

    trained = outputs.trained
    draws = [find(draw) for draw in trained.draws]
    others = {name: find(each) for name, each in trained._asdict().items() if each and name != "draws"}
    return Outputs(trained._replace(**others, draws=draws), find(outputs.evaluation))
