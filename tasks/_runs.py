"""One MLflow run and what can be written into it, always by its id: MLflow's active run is a thread's, and gets lost.

Every verb may be repeated: what is logged twice is there once. MLflow keeps one of two equal points only if their
times are equal too, so a point's time is made of its step. A curve has one point a step: the first one logged, also
where the stretch after a checkpoint is trained again and the clock says something else.
"""

import functools
import logging
import math
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import gaierror
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from filelock import FileLock

from tasks._errors import TrackingError, Unreachable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import Run as Record

NEWEST = 3  # runs named where one is not found
START = re.compile("[0-9a-f]{6,31}")  # of a run's id, enough to tell it from the others
POINTS = 2_000  # of a curve: MLflow's page slows down beyond
STEPS_PER_MS = 1_000  # a curve's times are as if a million words were read in a second
AWAY = {502, 503, 504}  # what a proxy answers for a server, and MLflow for its database
FIRST_ANSWER = 5  # seconds
DRIVERS = {"boto3": "boto3", "psycopg2": "psycopg2-binary"}  # that an address may ask for: the extras s3 and postgres

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # an absent server is told within seconds, not minutes
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


class Input(NamedTuple):
    """A dataset that the run used, and the stage that read it."""

    entity: "Entity"
    context: str


class Run:
    def __init__(self, uri: str, run_id: str) -> None:
        self.uri = uri
        self.id = run_id
        self._steps: dict[str, set[int]] = {}  # of each curve: where it has its points

    @functools.cached_property
    def record(self) -> "Record":
        """The run as it was when first looked at. Raises TrackingError if there is no such run."""
        with reached(self.uri) as client:
            return known_run(client, self.uri, self.id)

    def parameters(self, values: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        self._log("params", [Param(key, value) for key, value in values.items()], 100)

    def tag(self, values: Mapping[str, object]) -> None:
        from mlflow.entities import RunTag

        self._log("tags", [RunTag(key, str(value)) for key, value in values.items()], 100)

    def metrics(self, values: Mapping[str, float], step: int, **links: str) -> None:
        """Figures at one step; `links` name the model they judge and the dataset they judge it by."""
        self._log("metrics", [self._metric(key, value, step, **links) for key, value in values.items()], 1_000)

    def curve(self, steps: Sequence[int], columns: Mapping[str, Sequence[float | None]]) -> None:
        """Columns over steps, thinned out where long; gaps (None, NaN) and points that are there are left out."""
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
        from mlflow.entities import DatasetInput, InputTag
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import IntegrityError

        entries = [DatasetInput(each.entity, [InputTag("mlflow.data.context", each.context)]) for each in inputs]
        with reached(self.uri) as client:
            try:
                client.log_inputs(self.id, entries)
            except (IntegrityError, MlflowException):  # it looks before it inserts, and another run was in between
                client.log_inputs(self.id, entries)

    def files(self, folder: Path) -> None:
        """All that is in the folder, under the same names."""
        with reached(self.uri) as client:
            client.log_artifacts(self.id, str(folder))

    def document(self, name: str, value: Mapping[str, Any]) -> None:
        """A JSON file."""
        with reached(self.uri) as client:
            client.log_dict(self.id, dict(value), name)

    def fetch(self, name: str, folder: str | None = None) -> Path:
        """A file or folder of the run: a copy in the folder, or where it lies, brought here if it is elsewhere."""
        with reached(self.uri) as client:
            return Path(client.download_artifacts(self.id, name, folder))

    def _logged(self, key: str) -> set[int]:
        """At which steps the curve has a point: from before this process, or by it."""
        if key not in self._steps:
            with reached(self.uri) as client:
                self._steps[key] = {point.step for point in client.get_metric_history(self.id, key)}
        return self._steps[key]

    def _metric(self, key: str, value: float, step: int, **links: str) -> Any:
        from mlflow.entities import Metric

        time = self.record.info.start_time + step // STEPS_PER_MS
        return Metric(key, value, time, step, run_id=self.id, **links)

    def _log(self, kind: Literal["metrics", "params", "tags"], entries: Sequence[Any], at_once: int) -> None:
        """In batches as large as MLflow takes them."""
        with reached(self.uri) as client:
            for first in range(0, len(entries), at_once):
                batch: dict[str, Any] = {kind: entries[first : first + at_once]}
                client.log_batch(self.id, **batch)


@contextmanager
def reached(uri: str) -> Iterator["MlflowClient"]:
    """A client for `uri`; whatever MLflow, its database, its files' place or the network refuses is a TrackingError,
    and an Unreachable where it may pass.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)

    try:
        yield _client(uri)
    except ModuleNotFoundError as error:
        driver = DRIVERS.get(str(error.name))
        if driver is None:
            raise
        raise TrackingError(
            f"MLflow at {shown(uri)} needs the package {error.name}, which is not installed\n"
            f"Install it: pip install {driver}"
        ) from error
    except _refusals() as error:
        away = not uri.startswith("sqlite:") and _away(error)
        said = str(error).strip().splitlines() or [type(error).__name__]
        reason = (_unanswered(error) if away else "") or said[0]
        raise (Unreachable if away else TrackingError)(
            f"MLflow at {shown(uri)} does not {'answer' if away else 'do what it was asked'}\n{shown(reason)}\n"
            "Start it if it is a server, or name another with MLFLOW_TRACKING_URI or --set tracking.uri=URI; "
            "with neither, runs are kept in the workspace."
        ) from error


def full_id(uri: str, start: str) -> str:
    """The id of the only run whose id starts so; what is no start of one stays as it is, for `known_run` to refuse.

    Raises TrackingError if several do.
    """
    if not START.fullmatch(start):
        return start
    with reached(uri) as client:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found = client.search_runs(experiments, f"attributes.run_id LIKE '{start}%'", max_results=NEWEST)
    if len(found) > 1:
        names = [f"{run.info.run_id}  {run.info.run_name}, {run.info.status}" for run in found]
        raise TrackingError(
            f"{start} is the start of several runs' ids\nfound     {(chr(10) + ' ' * 10).join(names)}\n"
            "Give more characters of the one that is meant."
        )
    return found[0].info.run_id if found else start


def known_run(client: "MlflowClient", place: str, run_id: str) -> "Record":
    """The run's record. Raises TrackingError, which names the newest runs, if there is no such run."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    newest = client.search_runs(experiments, max_results=NEWEST)
    found = [f"{run.info.run_id}  {run.info.run_name}, {run.info.status}" for run in newest]
    raise TrackingError(
        f"there is no run {run_id}\nsought in {shown(place)}\n"
        f"found     {(chr(10) + ' ' * 10).join(found) or 'no runs'}\n"
        "These are the newest; `w2v ui` shows all. Runs kept elsewhere: name a --workspace, or set MLFLOW_TRACKING_URI."
    )


@contextmanager
def gathered(workspace: Path, run_id: str) -> Iterator[Path]:
    """Where a run's files lie until MLflow has them: always the same folder, so that a killed attempt is swept."""
    folder = workspace / "unpublished" / run_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def shown(text: str) -> str:
    """The text without the passwords of the addresses in it."""
    return re.sub(r"//[^@/\s]+@", "//…@", text)


@functools.cache
def _client(uri: str) -> "MlflowClient":
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # each try; the last one is our error
    if uri.startswith("sqlite:"):
        _create(Path(uri.removeprefix("sqlite:///")))
    if uri.startswith("http"):
        _knock(uri)
    return MlflowClient(uri, uri)


def _knock(uri: str) -> None:
    """Raise what comes of it at once if nobody answers; each later request is tried again for a while."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    http_request(get_default_host_creds(uri), "/health", "GET", max_retries=0, timeout=FIRST_ANSWER)


def _refusals() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    known = MlflowException, RequestException, SQLAlchemyError, OSError
    if "boto3" not in sys.modules:
        return known
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return *known, Boto3Error, BotoCoreError, ClientError


def _away(error: BaseException | None) -> bool:
    """Whether it is for lack of an answer, here or at the server, whose database or files may be away."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import ConnectionError, RetryError, Timeout

    if error is None:
        return False
    botocore = sys.modules.get("botocore.exceptions")
    unanswered = (ConnectionError, RetryError, Timeout, *((botocore.HTTPClientError,) if botocore else ()))
    answer = getattr(error, "response", None)
    status = error.get_http_status_code() if isinstance(error, MlflowException) else getattr(answer, "status_code", 0)
    return isinstance(error, unanswered) or status in AWAY or _away(error.__cause__ or error.__context__)


def _unanswered(error: BaseException | None) -> str:
    """What the network says, without what each library on the way to here says of it; "" if it says nothing."""
    while error:
        if isinstance(error, (ConnectionError, TimeoutError, gaierror)):
            return error.strerror or str(error)
        error = error.__cause__ or error.__context__
    return ""


def _create(database: Path) -> None:
    """Make the tables beside, then rename: who is killed at it leaves no half of them, which nobody could mend."""
    from mlflow import MlflowClient

    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock"):  # of two processes that create the tables at once, both fail
        if not database.exists():
            beside = database.with_name(database.name + ".partial")
            for leftover in database.parent.glob(f"{beside.name}*"):
                leftover.unlink()
            MlflowClient(f"sqlite:///{beside}", f"sqlite:///{beside}").search_experiments(max_results=1)
            os.replace(beside, database)
