"""One MLflow run, always written to by its id: MLflow's active run belongs to a thread, and can be lost.

Every method is idempotent: what is logged twice is stored once. MLflow merges two equal points only if their times are
equal too, so a point's time is derived from its step. A curve has one point a step, the first one logged, even if the
steps after a checkpoint are trained again at another time.
"""

import functools
import math
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from configs.addresses import shown
from tasks.errors import TrackingError
from tasks.tracking.client import not_found, reached
from tasks.tracking.names import INPUT_CONTEXT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import Run as MlflowRun

NEWEST = 3  # runs named in the error when one is not found
START = re.compile("[0-9a-f]{6,31}")  # the start of a run's id, long enough to be unique
DIGITS = 6  # of a figure
POINTS = 2_000  # of a curve: with more, MLflow's page becomes slow
STEPS_PER_MS = 1_000  # a curve's times are those of a million words read in a second


class Input(NamedTuple):
    """A dataset that the run used, and the stage that read it."""

    entity: "Entity"
    context: str


class Run:
    """An MLflow run. Its methods raise TrackingError if MLflow refuses, Unreachable if it does not answer."""

    def __init__(self, uri: str, run_id: str) -> None:
        self.uri = uri
        self.id = run_id
        self._steps: dict[str, set[int]] = {}  # of each curve: the steps that have a point

    @functools.cached_property
    def record(self) -> "MlflowRun":
        """Return the run as it was when first read. Raises TrackingError if there is no such run."""
        with reached(self.uri) as client:
            return known_run(client, self.uri, self.id)

    def parameters(self, values: Mapping[str, str]) -> None:
        """Log parameters."""
        from mlflow.entities import Param

        self._log("params", [Param(key, value) for key, value in values.items()], 100)

    def tag(self, values: Mapping[str, object]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        self._log("tags", [RunTag(key, str(value)) for key, value in values.items()], 100)

    def metrics(self, values: Mapping[str, float], step: int, **links: str) -> None:
        """Log metrics at one step; `links` name the model that they belong to and the dataset of the test."""
        self._log("metrics", [self._metric(key, value, step, **links) for key, value in values.items()], 1_000)

    def curve(self, steps: Sequence[int], columns: Mapping[str, Sequence[float | None]]) -> None:
        """Log columns over steps, at most about POINTS of each; skip gaps (None, NaN) and points that exist already."""
        stride = max(1, math.ceil(len(steps) / POINTS))
        rows = sorted({*range(0, len(steps), stride), len(steps) - 1}) if steps else []
        points = ((key, column[row], steps[row]) for key, column in columns.items() for row in rows)
        new = [
            self._metric(key, value, step)
            for key, value, step in points
            if value is not None and math.isfinite(value) and step not in self._logged(key)
        ]
        self._log("metrics", new, 1_000)
        for point in new:
            self._steps[point.key].add(point.step)

    def inputs(self, inputs: Iterable[Input]) -> None:
        """Log the datasets that the run used."""
        from mlflow.entities import DatasetInput, InputTag
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import IntegrityError

        entries = [DatasetInput(each.entity, [InputTag(INPUT_CONTEXT, each.context)]) for each in inputs]
        with reached(self.uri) as client:
            try:
                client.log_inputs(self.id, entries)
            except (IntegrityError, MlflowException):  # another run inserted it between MLflow's look-up and its insert
                client.log_inputs(self.id, entries)

    def files(self, folder: Path) -> None:
        """Upload everything in the folder, under the same names."""
        with reached(self.uri) as client:
            client.log_artifacts(self.id, str(folder))

    def document(self, name: str, value: Mapping[str, Any]) -> None:
        """Upload a JSON file."""
        with reached(self.uri) as client:
            client.log_dict(self.id, dict(value), name)

    @contextmanager
    def fetched(self, name: str = "") -> Iterator[Path]:
        """Yield the path of a file or folder of the run, or of all its files: see the function `fetched`."""
        with fetched(self.uri, self.record.info.artifact_uri, name) as found:
            yield found

    def text(self, name: str) -> str:
        """Return the content of one of the run's text files."""
        with self.fetched(name) as found:
            return found.read_text(encoding="utf-8")

    def _logged(self, key: str) -> set[int]:
        """Return the steps at which the curve has a point, logged by this process or before it."""
        if key not in self._steps:
            with reached(self.uri) as client:
                self._steps[key] = {point.step for point in client.get_metric_history(self.id, key)}
        return self._steps[key]

    def _metric(self, key: str, value: float, step: int, **links: str) -> Any:
        from mlflow.entities import Metric

        time = self.record.info.start_time + step // STEPS_PER_MS
        return Metric(key, legible(value), time, step, run_id=self.id, **links)

    def _log(self, kind: Literal["metrics", "params", "tags"], entries: Sequence[Any], at_once: int) -> None:
        """Log in batches of `at_once` entries, the most that MLflow accepts."""
        with reached(self.uri) as client:
            for first in range(0, len(entries), at_once):
                batch: dict[str, Any] = {kind: entries[first : first + at_once]}
                client.log_batch(self.id, **batch)


def legible(value: float) -> float:
    """Return a figure with the digits that tell something, as MLflow's tables show all; a whole number as it is."""
    return value if float(value).is_integer() else float(f"{value:.{DIGITS}g}")


def full_id(uri: str, start: str) -> str:
    """Return the id of the only run whose id starts with `start`. If there is none, return `start` itself.

    Raises TrackingError if several ids start with it.
    """
    if not START.fullmatch(start):
        return start
    with reached(uri) as client:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found = client.search_runs(experiments, f"attributes.run_id LIKE '{start}%'", max_results=NEWEST)
    if len(found) > 1:
        names = [f"{run.info.run_id}  {run.info.run_name}, {run.info.status}" for run in found]
        raise TrackingError(
            f"{start} is the start of several runs' ids\nfound     {_below(names)}\nGive more characters of the id."
        )
    return found[0].info.run_id if found else start


def known_run(client: "MlflowClient", place: str, run_id: str) -> "MlflowRun":
    """Return the run's record. Raises TrackingError, which names the newest runs, if there is no such run."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if not not_found(error):
            raise
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    newest = client.search_runs(experiments, max_results=NEWEST)
    found = [f"{run.info.run_id}  {run.info.run_name}, {run.info.status}" for run in newest]
    raise TrackingError(
        f"there is no run {run_id}\nlooked in {shown(place)}\n"
        f"found     {_below(found) or 'no runs'}\n"
        "These are the newest; `w2v ui` shows all. Runs kept elsewhere: give --workspace, or set MLFLOW_TRACKING_URI."
    )


def _below(entries: list[str]) -> str:
    """Return the entries one below the other, in the column of an error's findings."""
    return "\n          ".join(entries)


@contextmanager
def fetched(uri: str, location: str, name: str) -> Iterator[Path]:
    """Yield a file or folder below the location of MLflow's: the local path itself, else a copy for the block.

    A mapped file stays readable after the block, as the system deletes it when its last mapping ends. Raises
    TrackingError if a local file is missing.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    with TemporaryDirectory() as folder:
        with reached(uri):
            repository = get_artifact_repository(location, tracking_uri=uri)
            here = isinstance(repository, LocalArtifactRepository)
            if (
                isinstance(repository, LocalArtifactRepository)
                and not (path := Path(repository.artifact_dir, name)).exists()
            ):
                raise gone(path)
            found = Path(repository.download_artifacts(name, None if here else folder))
        yield found


def gone(place: Path | str) -> TrackingError:
    """Return the error for a file that MLflow has in its records but not on the disk."""
    return TrackingError(
        f"files of this run are gone, though MLflow has the run\nexpected  {place}\nfound     no such file or folder\n"
        "Restore the workspace's mlartifacts from a backup or from its former place, or retrain."
    )


@contextmanager
def gathered(workspace: Path, run_id: str) -> Iterator[Path]:
    """Yield an empty folder for a run's files until they are uploaded, then delete it.

    It is the same folder on every attempt, so that files of a killed attempt are deleted first.
    """
    folder = workspace / "unpublished" / run_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
