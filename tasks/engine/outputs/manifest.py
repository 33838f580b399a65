"""Manifests: the table of contents of an output, written last, so that an output exists if its manifest does."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
from pydantic import AfterValidator, BaseModel, ConfigDict

from tasks.datasets.files import digest_of, digest_of_file
from tasks.errors import ContractError, StoreError

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
KEY_LENGTH = 32  # hex digits


class FrozenModel(BaseModel):
    """A frozen model that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _in_folder(name: str) -> str:
    if Path(name).name != name or name in ("", ".", ".."):
        raise ValueError(f"expected the name of a file, found {name!r}")
    return name


def _hexadecimal(key: str) -> str:
    if not re.fullmatch(f"[0-9a-f]{{{KEY_LENGTH}}}", key):
        raise ValueError(f"expected {KEY_LENGTH} hex digits, found {key!r}")
    return key


# checked, since the manifests of other hosts must not choose a place on this one
FileName = Annotated[str, AfterValidator(_in_folder)]
Key = Annotated[str, AfterValidator(_hexadecimal)]


class File(FrozenModel):
    """A file of an output, with the digest of its bytes."""

    name: FileName
    digest: str
    bytes: int
    rows: int | None = None

    def there(self, folder: Path) -> bool:
        """Return True if the folder has a file of this name and size."""
        path = folder / self.name
        return path.is_file() and path.stat().st_size == self.bytes

    def verifies(self, folder: Path) -> bool:
        """Return True if the folder has the file with these bytes."""
        return self.there(folder) and digest_of_file(folder / self.name) == self.digest


class Account(FrozenModel):
    """The account of a stage: items read, items written, and items left out by reason. read = written + left out."""

    unit: str
    read: int
    written: int
    left_out: dict[str, int] = {}

    def check(self) -> None:
        """Raise AssertionError if the account does not balance."""
        if self.read != self.written + sum(self.left_out.values()):
            raise AssertionError(f"the account does not balance: {self}")


def summed(accounts: Iterable[Account]) -> Account:
    """Return the sum of accounts of one unit, of which there is at least one."""
    accounts = list(accounts)
    left_out: Counter[str] = Counter()
    for account in accounts:
        left_out.update(account.left_out)
    read, written = (sum(getattr(account, name) for account in accounts) for name in ("read", "written"))
    return Account(unit=accounts[0].unit, read=read, written=written, left_out=left_out)


class Part(FrozenModel):
    """A reference to another output of the same stage that this output consists of."""

    key: Key
    digest: str


class Manifest(FrozenModel):
    """The table of contents of an output."""

    version: int = MANIFEST_VERSION
    stage: str
    key: str
    inputs: dict[str, Any]  # what the key was made of
    files: list[File]
    parts: list[Part] = []  # in order; an output with parts has no files of its own
    account: Account
    facts: dict[str, Any]  # small figures for later stages and for people

    @property
    def digest(self) -> str:
        """Return the digest of the content alone: two keys with the same files have the same digest."""
        return digest_of([(file.name, file.digest) for file in self.files] + [part.digest for part in self.parts])


def entry(path: Path) -> File:
    """Return the entry of a finished file."""
    rows = pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None
    return File(name=path.name, digest=digest_of_file(path), bytes=path.stat().st_size, rows=rows)


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in a folder. Raises FileNotFoundError, ContractError, or StoreError for another version."""
    return parsed((path / MANIFEST).read_bytes(), str(path / MANIFEST))


def parsed(content: bytes, place: str) -> Manifest:
    """Return the manifest that was read at `place`. Raises ContractError, or StoreError for another version."""
    try:
        values = json.loads(content)
        _check_version(place, values)
        return Manifest.model_validate(values)
    except ValueError as error:
        raise ContractError(f"{place} is not a manifest of version {MANIFEST_VERSION}: {error}") from error


def _check_version(place: str, values: Any) -> None:
    found = values.get("version") if isinstance(values, dict) else None
    if isinstance(found, int) and found != MANIFEST_VERSION:
        raise StoreError(
            f"{place} has another version\nexpected  version {MANIFEST_VERSION}\nfound     version {found}\n"
            "Another release of w2v wrote this store: use that release, or choose another store with "
            "--set runtime.workspace=FOLDER."
        )
