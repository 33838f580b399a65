"""Reaching MLflow: a client whose every refusal is an error of ours, which says what to do."""

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
from tasks.engine.file_lock import Held
from tasks.errors import TrackingError, Unreachable
from tasks.refusals import cause
from tasks.tracking.database_lock import patient, patiently
from tasks.tracking.database_paths import DATABASE, address_of, database_at
from tasks.tracking.relocation import relocate

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

AWAY = {502, 503, 504}  # what a proxy answers for a server, and MLflow for its database
CONNECTED, ANSWERED = 10, 300  # seconds, at first: the system connects us at once, however busy the server is
DRIVERS = {"boto3": "boto3", "psycopg2": "psycopg2-binary"}  # that an address may ask for: the extras s3 and postgres
START = (
    "Start it, or name another with MLFLOW_TRACKING_URI or --set tracking.uri=URI; "
    "with neither, runs are kept in the workspace."
)

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # an absent server is told within seconds, not minutes
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


@contextmanager
def reached(uri: str) -> Iterator["MlflowClient"]:
    """A client for `uri`; whatever MLflow, its database, its files' place or the network refuses is a TrackingError,
    and an Unreachable where it may pass.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)

    try:
        database = database_at(uri)
        if database and database.name == DATABASE:  # of a workspace
            relocate(database.parent)
            _forget_places()
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
        raise _told(uri, error) from error


def not_found(error: "MlflowException") -> bool:
    """Whether MLflow refuses because it does not have what was named."""
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")


def already_exists(error: "MlflowException") -> bool:
    """Whether MLflow refuses because it has something of that name."""
    return bool(error.error_code == "RESOURCE_ALREADY_EXISTS")


def _told(uri: str, error: Exception) -> TrackingError:
    """By its cause, if that is known."""
    refusal, away = cause(error), database_at(uri) is None and _away(error)
    said = str(error).strip().splitlines() or [type(error).__name__]
    reason = shown((_unanswered(error) if away else "") or said[0], uri)
    if refusal and not refusal.passes:
        return TrackingError(f"MLflow at {shown(uri)} {refusal.what}\n{reason}\n{refusal.way}")
    if away:
        return Unreachable(f"MLflow at {shown(uri)} does not answer\n{reason}\n{START}")
    way = "`w2v doctor` looks at it." if database_at(uri) else START
    return TrackingError(f"MLflow at {shown(uri)} does not do what it was asked\n{reason}\n{way}")


def _forget_places() -> None:
    """MLflow remembers by a run's id where its files are: those of a copied workspace would go to the original.

    Its memory is private: a version that keeps it elsewhere fails the tests of copied workspaces, and nothing else.
    """
    utils = sys.modules.get("mlflow.tracking._tracking_service.utils")
    if (known := getattr(utils, "_artifact_repos_cache", None)) is not None:
        known.clear()


@functools.cache
def _client(uri: str) -> "MlflowClient":
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # each try; the last one is our error
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # its tracebacks of what is our error
    if database := database_at(uri):
        patiently(str(database), lambda: _open(database))
        return patient(patiently(str(database), lambda: MlflowClient(uri, uri)), str(database))
    if uri.startswith("http"):
        with waiting.told(f"MLflow at {shown(uri)}"):
            _knock(uri)
    return MlflowClient(uri, uri)


def _open(database: Path) -> None:
    """Make it if need be, and look into it: of one that cannot be read MLflow would say so after two minutes."""
    _create(database)
    # writable where it can be: what a killed process has half written, its first reader undoes
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=1)) as reading:
        reading.execute("SELECT name FROM sqlite_master").fetchall()


def _knock(uri: str) -> None:
    """Raise at once what is wrong if the server cannot be reached; each later request is retried for a while.

    The question holds no secret and the answer is not read, so no certificate is checked: MLflow's client, which has
    settings of its own for that, does it with its first request.
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


def _away(error: BaseException | None) -> bool:
    """Whether it is for lack of an answer, here or at the server, whose database or files may be away."""
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

    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with Held(f"{database}.lock"):  # of two processes that create the tables at once, both fail
        if not database.exists():
            beside = database.with_name(database.name + ".partial")
            for leftover in database.parent.glob(f"{beside.name}*"):
                leftover.unlink()
            MlflowClient(address_of(beside), address_of(beside)).search_experiments(max_results=1)
            beside.chmod(0o600)  # SQLite gives its journals the same mode
            os.replace(beside, database)
