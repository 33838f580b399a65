"""The MLflow client: every refusal becomes a TrackingError that says what to do."""

import functools
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import gaierror
from typing import TYPE_CHECKING

from configs.addresses import shown
from tasks.engine import waiting
from tasks.engine.databases import empty
from tasks.engine.file_lock import Held
from tasks.errors import TrackingError, Unreachable
from tasks.refusals import cause
from tasks.tracking.database_lock import patient, patiently
from tasks.tracking.database_paths import DATABASE, address_of, database_at
from tasks.tracking.relocation import relocate

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

AWAY = {502, 503, 504}  # answered by a proxy without its server, and by MLflow without its database
CONNECTED, ANSWERED = 10, 300  # time limits in seconds: the system connects at once, however busy the server is
DRIVERS = {"boto3": "boto3", "psycopg2": "psycopg2-binary"}  # that an address may need: the extras s3 and postgres
START = (
    "Start it, or name another with MLFLOW_TRACKING_URI or --set tracking.uri=URI; "
    "with neither, runs are kept in the workspace."
)

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # an absent server is reported within seconds, not minutes
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


@contextmanager
def reached(uri: str) -> Iterator["MlflowClient"]:
    """Yield a client for `uri`, after relocating a workspace that was moved.

    Raises TrackingError for everything that MLflow, its database, its storage or the network refuses; Unreachable,
    which is one, if the server cannot be reached, which may pass.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)

    try:
        database = database_at(uri)
        if database and database.name == DATABASE:  # of a workspace
            relocate(database.parent)
            _clear_artifact_cache()
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
        raise _tracking_error(uri, error) from error


def not_found(error: "MlflowException") -> bool:
    """Return True if MLflow refuses because the named thing does not exist."""
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")


def already_exists(error: "MlflowException") -> bool:
    """Return True if MLflow refuses because the name is taken."""
    return bool(error.error_code == "RESOURCE_ALREADY_EXISTS")


def _tracking_error(uri: str, error: Exception) -> TrackingError:
    """Return the TrackingError for a refusal; what to do depends on its cause, where that is known."""
    refusal, away = cause(error), database_at(uri) is None and _is_unreachable(error)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = shown((_network_message(error) if away else "") or lines[0], uri)
    if refusal and not refusal.passes:
        return TrackingError(f"MLflow at {shown(uri)} {refusal.what}\n{reason}\n{refusal.way}")
    if away:
        return Unreachable(f"MLflow at {shown(uri)} does not answer\n{reason}\n{START}")
    way = "`w2v doctor` checks the database." if database_at(uri) else START
    return TrackingError(f"MLflow at {shown(uri)} refused a request\n{reason}\n{way}")


def _clear_artifact_cache() -> None:
    """Clear MLflow's cache of where each run's files are: files of a copied workspace would go to the original.

    The cache is private to MLflow: a version that has it elsewhere fails the tests of copied workspaces, nothing else.
    """
    utils = sys.modules.get("mlflow.tracking._tracking_service.utils")
    if (known := getattr(utils, "_artifact_repos_cache", None)) is not None:
        known.clear()


@functools.cache
def _client(uri: str) -> "MlflowClient":
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # warns of each attempt; we report the last
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # prints tracebacks of errors that we report
    if database := database_at(uri):
        patiently(str(database), lambda: _open(database))
        return patient(patiently(str(database), lambda: MlflowClient(uri, uri)), str(database))
    if uri.startswith("http"):
        with waiting.announced(f"MLflow at {shown(uri)}"):
            _check_reachable(uri)
    return MlflowClient(uri, uri)


def _open(database: Path) -> None:
    """Create the database if it is missing, and read it: of an unreadable one MLflow complains only after minutes."""
    _create(database)
    # Open it for writing where possible: the first reader rolls back what a killed process has half written.
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=1)) as reading:
        reading.execute("SELECT name FROM sqlite_master").fetchall()


def _check_reachable(uri: str) -> None:
    """Raise an HTTPError at once if the server cannot be reached. Each later request is retried for a while.

    The request holds no secret and its answer is not read, so no certificate is checked: MLflow's client, which has
    its own settings for that, checks it with its first request.
    """
    import httpx

    address = httpx.URL(f"{uri.rstrip('/')}/health").copy_with(username="", password="")
    answer = httpx.get(address, timeout=httpx.Timeout(ANSWERED, connect=CONNECTED), verify=False)
    if answer.status_code in AWAY:
        answer.raise_for_status()


def _refusals() -> tuple[type[Exception], ...]:
    from httpx import HTTPError, InvalidURL
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    known = HTTPError, InvalidURL, MlflowException, RequestException, SQLAlchemyError, sqlite3.Error, OSError
    if "boto3" not in sys.modules:
        return known
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return *known, Boto3Error, BotoCoreError, ClientError


def _is_unreachable(error: BaseException | None) -> bool:
    """Return True if there was no answer, from the server or from the database or storage behind it."""
    from httpx import TransportError
    from mlflow.exceptions import MlflowException
    from requests.exceptions import ConnectionError, RetryError, Timeout

    if error is None:
        return False
    botocore = sys.modules.get("botocore.exceptions")
    network = TransportError, ConnectionError, RetryError, Timeout
    unanswered = (*network, *((botocore.HTTPClientError,) if botocore else ()))
    answer = getattr(error, "response", None)
    status = error.get_http_status_code() if isinstance(error, MlflowException) else getattr(answer, "status_code", 0)
    return isinstance(error, unanswered) or status in AWAY or _is_unreachable(error.__cause__ or error.__context__)


def _network_message(error: BaseException | None) -> str:
    """Return the network's own message, without those of the libraries in between; "" if there is none."""
    while error:
        if isinstance(error, (ConnectionError, TimeoutError, gaierror)):
            return error.strerror or str(error)
        error = error.__cause__ or error.__context__
    return ""


def _create(database: Path) -> None:
    """Create the database under a temporary name and rename it, so that a kill never leaves it half created."""
    from mlflow import MlflowClient

    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with Held(f"{database}.lock"):  # two processes that create the tables at the same time would both fail
        if not database.exists():
            beside = database.with_name(database.name + ".partial")
            for leftover in database.parent.glob(f"{beside.name}*"):
                leftover.unlink()
            empty.create(beside, "mlflow")
            MlflowClient(address_of(beside), address_of(beside)).search_experiments(max_results=1)
            beside.chmod(0o600)  # SQLite gives its journals the same mode
            os.replace(beside, database)
