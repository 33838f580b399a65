"""Rebuild a past run from what it logged, in a new workspace, and compare the two bit by bit."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from configs import migrations
from configs.loading import ConfigError, check, check_once, set_values
from configs.schema import Config
from flows.planning.pipeline import pipeline
from flows.planning.plan import TO_COME
from tasks import certificate as certificates
from tasks.certificate import INGREDIENTS, OUTCOME, Certificate, Mismatch
from tasks.datasets.files import write_whole
from tasks.display.terminal import visible
from tasks.engine import environment
from tasks.engine.stage import Stage
from tasks.engine.store import LATEST, Dataset, Store
from tasks.errors import InputError
from tasks.tracking import address, registry
from tasks.tracking.contents.vectors import vectors_of
from tasks.tracking.names import CONFIG_FILE, REPRODUCES, REPRODUCTION, REPRODUCTION_FILE
from tasks.tracking.run import Run
from tasks.tracking.session import Tracker
from tasks.vectors.distance import Distance, distance

MARK = "reproduces"  # a file in the new workspace: the id of the run that is rebuilt there


class Original(NamedTuple):
    """The run to rebuild, its certificate, and its config, with the new workspace set."""

    run: Run
    certificate: Certificate
    config: Config
    tracker: Tracker  # of the config


class Reproduced(NamedTuple):
    run_id: str
    outcome: list[Mismatch]  # empty if the words, the tables and the scores are identical, bit for bit
    stages: list[Mismatch]  # outputs whose files differ; another version of pyarrow alone can cause that
    ingredients: list[Mismatch]
    distance: Distance | None  # between the vectors, if they differ

    @property
    def identical(self) -> bool:
        """Return True if words, tables and scores are the same, bit for bit."""
        return not self.outcome


def find(run_id: str, workspace: Path, settings: list[str]) -> Original:
    """Find the run in the MLflow that `w2v retrain` would use, and set a new folder in its config.

    Raises TrackingError if the run is unknown or has no certificate, ConfigError if its config cannot be read or
    changed, InputError if the new folder already holds outputs.
    """
    check_once(settings)
    tracking = set_values({}, settings).get("tracking")
    named = tracking.get("uri") if isinstance(tracking, dict) else None
    uri = named or address.runs_of(workspace)
    run_id = registry.run_id(uri, run_id)
    run = Run(uri, run_id)
    certificate = certificates.read(run)
    place = f"{CONFIG_FILE} of run {run_id}"
    try:
        values = migrations.read(run.text(CONFIG_FILE), place).model_dump(mode="json")
    except ConfigError as error:
        commit = certificate["code"].get("commit", "unknown")
        raise ConfigError(f"{error}\nAnother version of the code wrote it: check out commit {commit}.") from None
    # an address in the environment may hold a password, so it is not copied into the config
    values["tracking"]["uri"] = None if os.environ.get("MLFLOW_TRACKING_URI") else run.uri
    values["tracking"]["registered_model"] += registry.REPRODUCED  # a copy must not compete with the original model
    if start := values["training"]["warm_start"]:  # the path may date from before the workspace was moved
        here = Store(workspace / "store").own(Path(start))
        if not here.exists() and (remote := values["runtime"].get("remote")):
            found = Store(workspace / "store", remote).find(*here.parts[-3:-1])
            here = found.file(here.name) if found else here
        values["training"]["warm_start"] = str(here) if here.exists() else start
    values["runtime"] |= {"workspace": str(workspace / "reproductions" / run_id), "remote": ""}  # nothing is reused
    config = check(set_values(values, settings), place, settings)
    tracker = Tracker(config)
    _refuse_used(config, tracker, run_id)
    return Original(run, certificate, config, tracker)


def foreseen(original: Original) -> list[Mismatch]:
    """Return the ingredients that differ, before anything is computed. Raises InputError if data are missing."""
    inputs: dict[str, dict[str, Any]] = {}

    def look(stage: Stage, **arguments: object) -> Dataset:
        inputs[stage.name] = stage.inputs(**arguments)
        return TO_COME

    pipeline(original.config, look)
    with threadpool_limits(1, "blas"):  # as in the training
        now = certificates.ingredients(original.config, inputs, environment.describe())
    return certificates.differences(original.certificate, now, INGREDIENTS)


def reproduce(original: Original) -> Reproduced:
    """Rebuild the original as a new run, which names it in a tag, and compare the two."""
    from flows.outbox import required
    from flows.retrain import retrain  # imports Prefect, which reads the path of its home at import

    workspace = Path(original.config.runtime.workspace)
    workspace.mkdir(parents=True, exist_ok=True)
    write_whole(workspace / MARK, original.run.id.encode())
    done = retrain(required(original.config), reproduces=original.run.id)
    run = original.tracker.run(done.run_id)
    both = original.certificate, certificates.read(run)
    outcome = certificates.differences(*both, OUTCOME)
    apart = any(each.what.startswith("tables") for each in outcome)
    reproduced = Reproduced(
        run.id,
        outcome,
        certificates.differences(*both, ("stages",)),
        certificates.differences(*both, INGREDIENTS),
        distance(vectors_of(original.run), vectors_of(run)) if apart else None,
    )
    run.document(REPRODUCTION_FILE, _readable(reproduced))
    run.tag({REPRODUCTION: "identical" if reproduced.identical else "different"})
    return reproduced


def changed(original: Original, found: list[Mismatch]) -> Iterator[str]:
    """Yield one line for each ingredient that is unchanged, and for each difference."""
    yield visible(f"rebuilding run {original.run.id} in {original.config.runtime.workspace}")
    for section in INGREDIENTS:
        different = [_line(each) for each in found if each.what.partition(" ")[0] == section]
        yield from (visible(f"✗ {line}") for line in different)
        if not different:
            yield f"✓ {section:<9} unchanged"


def verdict(original: Original, done: Reproduced) -> str:
    """Return the verdict in lines of text: identical or different, and what differs."""
    lines = [f"MLflow run   {done.run_id}  reproduces {original.run.id}"]
    lines += ["identical, bit for bit: the words, both tables and every score" if done.identical else "different"]
    if done.distance:
        lines += [f"  {done.distance}"]
    lines += [f"  {_line(each)}" for each in done.outcome if not each.what.startswith("tables")]
    if done.stages:
        lines += [f"  outputs with other bytes: {', '.join(each.what.split()[1] for each in done.stages)}"]
    lines += ["made of other:" if done.ingredients else "made of the same"]
    return "\n".join([*lines, *(f"  {_line(each)}" for each in done.ingredients)])


def _refuse_used(config: Config, tracker: Tracker, run_id: str) -> None:
    """Raise InputError if the new workspace has outputs, except those of an interrupted reproduction of this run."""
    workspace = Path(config.runtime.workspace)
    mark = workspace / MARK
    if (workspace / "store").exists():
        begun = mark.exists() and mark.read_text() == run_id
        if not begun or ((workspace / LATEST).exists() and _judged(tracker, run_id)):
            raise InputError(
                f"{workspace}: this folder already holds outputs, which would be reused instead of rebuilt\n"
                "Delete the folder, or choose another with --set runtime.workspace=FOLDER."
            )


def _judged(tracker: Tracker, run_id: str) -> bool:
    """Return True if the newest reproduction of the run has its verdict."""
    newest = tracker.find_tagged(REPRODUCES, run_id)
    return newest is None or REPRODUCTION in newest.data.tags


def _line(difference: Mismatch) -> str:
    section, _, name = difference.what.partition(" ")
    return f"{section:<9} {name}: {_shown(difference.before)} → {_shown(difference.now)}"


def _shown(value: object) -> str:
    return " ".join(map(str, value)) or "–" if isinstance(value, list) else "–" if value is None else str(value)


def _readable(done: Reproduced) -> dict[str, Any]:
    lists = {name: [each._asdict() for each in getattr(done, name)] for name in ("outcome", "stages", "ingredients")}
    return {"identical": done.identical, **lists, "distance": done.distance and done.distance._asdict()}
