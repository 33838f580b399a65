"""Recognise why a disk, a database or a server refuses, and say what to do about it.

A cause is recognised by the operating system's error number, by the status of an HTTP answer, or by messages of SQLite,
alembic, OpenSSL and MLflow, which arrive wrapped in other errors.
"""

import errno
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Refusal(NamedTuple):
    """The cause of a refusal, and what to do about it."""

    what: str  # the cause, after the place
    way: str  # what to do
    passes: bool = False  # whether it may pass by itself


BACKUP = "docs/how-to/backup-upgrade.md"
LOCKED = Refusal("is locked by another process", "Waiting for it; `fuser FILE` names the process.", passes=True)
DAMAGED = Refusal("is damaged", f"Restore it from a backup, or move it away: a new one is created. See {BACKUP}.")
FULL = Refusal(
    "has no space left: the disk is full",
    "Nothing finished is lost. Free some space (`w2v gc --dry-run`), or move the workspace with "
    "--set runtime.workspace=FOLDER, and run the command again.",
)
READ_ONLY = Refusal(
    "cannot be written",
    "Make it writable for this user, or choose another workspace with --set runtime.workspace=FOLDER.",
)
FAULTY = Refusal("cannot be read or written: the disk has an error", f"Check the disk. See {BACKUP}.")
VERSION = Refusal("is of another version", f"Upgrade what is older: the database, or this installation. See {BACKUP}.")
CERTIFICATE = Refusal(
    "has a certificate that is not trusted",
    "Set REQUESTS_CA_BUNDLE and SSL_CERT_FILE to the certificate of its authority, or use http:// without TLS.",
)
TLS = Refusal("has no matching TLS", "Check the address: use http:// if the server has no TLS.")
PASSWORD = Refusal(
    "refuses the name and password",
    "Set the name and password that it requires: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
    "PREFECT_API_AUTH_STRING=NAME:PASSWORD for Prefect.",
)
NAME = Refusal(
    "refuses a name", "Choose another: --set tracking.experiment=NAME or --set tracking.registered_model=NAME."
)

NUMBERS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
    errno.EIO: FAULTY,
}
STATUS = {401: PASSWORD, 403: PASSWORD, 507: FULL}
WORDS = {
    r"database (table )?is locked": LOCKED,
    r"database or disk is full|No space left on device|Disk quota exceeded": FULL,
    r"(readonly|read-only) (database|file system)|unable to open database file": READ_ONLY,
    r"file is not a database|disk image is malformed|malformed database schema|incomplete startup packet": DAMAGED,
    r"disk I/O error": FAULTY,
    r"out-of-date database schema|Can't locate revision": VERSION,
    r"CERTIFICATE_VERIFY_FAILED": CERTIFICATE,
    r"SSLError|\[SSL": TLS,
    r"Permission denied": READ_ONLY,
    r"[Ii]nvalid (experiment|(registered )?model|run) name|(Experiment|Registered model) name (cannot|must)": NAME,
    r"Name must be less than": NAME,
}


def cause(error: BaseException | None) -> Refusal | None:
    """Return the first known cause in the chain of the error."""
    return next((found for each in chain(error) if (found := _of(each))), None)


def in_words(text: str) -> Refusal | None:
    """Return the cause that a message names, or None."""
    return next((refusal for words, refusal in WORDS.items() if re.search(words, text)), None)


def in_last(lines: Sequence[str]) -> Refusal | None:
    """Return the cause that the last of the lines which has one gives: a server's last words, below a traceback."""
    return next((found for line in reversed(lines) if (found := in_words(line))), None)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and those that caused it, outermost first."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _of(error: BaseException) -> Refusal | None:
    if isinstance(error, OSError) and error.errno in NUMBERS:
        return NUMBERS[error.errno]
    return STATUS.get(_status(error)) or in_words(str(error))


def _status(error: BaseException) -> int:
    """Return the HTTP status of the error, whichever library raised it; 0 if there is none."""
    mlflow = sys.modules.get("mlflow.exceptions")
    if mlflow and isinstance(error, mlflow.MlflowException):
        return int(error.get_http_status_code())
    return int(getattr(getattr(error, "response", None), "status_code", None) or 0)
