"""Addresses of MLflow's database and files in a folder of any name.

SQLAlchemy reads what follows a `?` as options, and MLflow unquotes a plain path: it would look for `ws%25` in `ws%`.
"""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from tasks.errors import StoreError

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"  # in a workspace
LONGEST = 480  # bytes of a workspace's path: SQLite opens no file whose path has more than about 500
SPECIAL = re.compile(r"[%#?;\x00-\x1f\x7f-\x9f]")  # characters of a path that MLflow would misread


def address_of(database: Path) -> str:
    """Return the SQLite address of a file."""
    place = str(database.absolute())
    # The driver must be named: for a plain `sqlite:` address, MLflow would create the folder `file:`.
    return f"sqlite+pysqlite:///file:{quote(place)}?uri=true" if "?" in place else f"sqlite:///{place}"


def database_at(address: str) -> Path | None:
    """Return the file of an SQLite address; None for another kind of address."""
    kind, _, rest = address.partition(":///")
    if kind not in ("sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"):
        return None
    place = rest.partition("?")[0]
    return Path(unquote(place.removeprefix("file:")) if place.startswith("file:") else place)


def artifact_address(folder: Path) -> str:
    """Return the address of a folder for MLflow: its path or, if MLflow would misread that, its file URI."""
    place = folder.absolute()
    return place.as_uri() if SPECIAL.search(str(place)) else str(place)


def artifact_folder(address: str) -> Path | None:
    """Return the folder that MLflow uses for a local address; None for another kind of address."""
    parts = urlsplit(address)
    if parts.scheme not in ("", "file") or not parts.path.startswith("/"):
        return None
    return Path(url2pathname(parts.path if parts.scheme else address))


def check_name(workspace: Path) -> None:
    """Raise StoreError, before anything is written, for a path that SQLite cannot open."""
    place = str(workspace.absolute())
    size = len(os.fsencode(place))
    if size > LONGEST:
        raise StoreError(
            f"the path of the workspace is too long for SQLite\nexpected  at most {LONGEST} bytes\n"
            f"found     {size} bytes: {place[:40]}…\nChoose a shorter one with --workspace."
        )
    try:
        place.encode()
    except UnicodeEncodeError:
        raise StoreError(
            f"the path of the workspace is not UTF-8, which SQLite needs\nfound     {place!r}\n"
            "Rename the folder, or choose another with --workspace."
        ) from None
