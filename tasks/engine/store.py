"""The content-addressed store: `<store>/<stage>/<key>/` holds a stage's files and, written last, their manifest.

The key is a digest of everything that can change the result. A folder whose manifest exists and verifies is the
result; anything else in it is an abandoned attempt, which the next attempt deletes. One process at a time computes a
key; the lock is the operating system's and ends with the process that holds it.
"""

import errno
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from tasks.datasets import verified
from tasks.datasets.files import digest_of, digest_of_file, sync, undamaged, write_whole
from tasks.engine.file_lock import Held
from tasks.errors import ContractError, StoreError

MANIFEST = "manifest.json"
CHECKPOINTS = "checkpoints"  # kept when an attempt is deleted: the stage itself decides which of them it can use
LATEST = "latest.json"  # in the workspace: names the training output of the last retraining
MANIFEST_VERSION = 1
KEY_LENGTH = 32  # hex digits


class Record(BaseModel):
    """A frozen model that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class File(Record):
    """A file of an output, with the digest of its bytes."""

    name: str
    digest: str
    bytes: int
    rows: int | None = None


class Account(Record):
    """The account of a stage: items read, items written, and items left out by reason. read = written + left out."""

    unit: str
    read: int
    written: int
    left_out: dict[str, int] = {}

    def check(self) -> None:
        """Raise AssertionError if the account does not balance."""
        if self.read != self.written + sum(self.left_out.values()):
            raise AssertionError(f"the account does not balance: {self}")


class Part(Record):
    """A reference to another output of the same stage that this output consists of."""

    key: str
    digest: str


class Manifest(Record):
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


class Dataset(Record):
    """A reference to one stage's finished output, passed from task to task."""

    stage: str
    key: str
    path: Path
    digest: str

    @property
    def manifest(self) -> Manifest:
        """Return the manifest, read from the disk. Raises ContractError or StoreError if it is not valid."""
        return _read_manifest(self.path)

    @property
    def parts(self) -> list["Dataset"]:
        """Return the outputs that this one consists of, which others may share; itself alone if it has no parts."""
        found = [
            self.model_copy(update={**dict(part), "path": self.path.with_name(part.key)})
            for part in self.manifest.parts
        ]
        return found or [self]

    def files(self, suffix: str = ".parquet") -> list[Path]:
        """Return the files of all parts with this suffix, in order."""
        names = [(part.path, file.name) for part in self.parts for file in part.manifest.files]
        return [path / name for path, name in names if name.endswith(suffix)]


def joined(parts: Sequence[Dataset]) -> Account:
    """Return the sum of the accounts of all parts."""
    accounts = [part.manifest.account for part in parts]
    left_out: Counter[str] = Counter()
    for account in accounts:
        left_out.update(account.left_out)
    read, written = (sum(getattr(account, name) for account in accounts) for name in ("read", "written"))
    return Account(unit=accounts[0].unit, read=read, written=written, left_out=left_out)


def latest(workspace: Path) -> Dataset | None:
    """Return the training output of the last retraining, None if there is none; its path is where the store is now."""
    try:
        content = (workspace / LATEST).read_bytes()
    except FileNotFoundError:
        return None
    with undamaged(workspace / LATEST, "Delete it: the next `w2v retrain` writes it again."):
        noted = Dataset.model_validate_json(content)
    return noted.model_copy(update={"path": workspace.absolute() / "store" / noted.stage / noted.key})


class Draft:
    """An unfinished output: a stage writes its files to `path`, and sets `facts` or `parts`."""

    def __init__(self, path: Path, report: Callable[[float, float, str], None]) -> None:
        self.path = path
        self.report = report  # called with (done, total, text)
        self.facts: dict[str, Any] = {}
        self.parts: list[Dataset] = []  # set instead of writing files

    def file(self, name: str) -> Path:
        """Return the path to write the file `name` to."""
        return self.path / name

    def entries(self) -> list[File]:
        """Return the files written, by name, with their digests."""
        return [_entry(path) for path in sorted(self.path.iterdir()) if path.is_file()]


class Store:
    """The store below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def find(self, stage: str, key: str, *, read: bool = False) -> Dataset | None:
        """Return the finished output; None if there is none, or if a file is missing or its bytes have changed.

        Bytes that were verified, and of which nothing has changed since, are not read again, unless `read` is set.
        Raises StoreError if its manifest has another version: that is not damage, and must not be deleted.
        """
        path = self.root / stage / key
        try:
            manifest = _read_manifest(path)
        except (FileNotFoundError, ContractError):
            return None
        if not _verifies(path, manifest, read=read):
            return None
        parts = [self.find(stage, part.key, read=read) for part in manifest.parts]
        if [part and part.digest for part in parts] != [part.digest for part in manifest.parts]:
            return None
        return Dataset(stage=stage, key=key, path=path, digest=manifest.digest)

    def own(self, path: Path) -> Path:
        """Return a file of this store, named while the store was elsewhere, at its present path; others unchanged."""
        *_, folder, stage, key, name = ("", "", "", *path.absolute().parts)
        return self.root / stage / key / name if folder == self.root.name and len(key) == KEY_LENGTH else path

    def make(
        self,
        stage: str,
        key: str,
        inputs: dict[str, Any],
        work: Callable[[Draft], Account],
        report: Callable[[float, float, str], None],
    ) -> Dataset:
        """Return the output of `work`, computed now unless another process has just done so.

        Raises StoreError if the disk is full or not writable, and what `work` raises; the attempt is then deleted.
        """
        path = self.root / stage / key
        with _explained_errors(self.root):
            path.parent.mkdir(parents=True, exist_ok=True)
            with Held(path.with_suffix(".lock")):
                if done := self.find(stage, key):
                    return done
                _sweep(path)
                draft = Draft(path, report)
                try:
                    account = work(draft)
                    account.check()
                    files = draft.entries()
                    parts = [Part(key=part.key, digest=part.digest) for part in draft.parts]
                    manifest = Manifest(
                        stage=stage,
                        key=key,
                        inputs=inputs,
                        files=files,
                        parts=parts,
                        account=account,
                        facts=draft.facts,
                    )
                    _commit(path, manifest)
                    verified.note(path, [file.name for file in files])
                except BaseException:
                    _sweep(path)  # frees the space on a full disk
                    raise
                shutil.rmtree(path / CHECKPOINTS, ignore_errors=True)
        return Dataset(stage=stage, key=key, path=path, digest=manifest.digest)


def _entry(path: Path) -> File:
    rows = pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None
    return File(name=path.name, digest=digest_of_file(path), bytes=path.stat().st_size, rows=rows)


def _commit(path: Path, manifest: Manifest) -> None:
    for file in manifest.files:
        sync(path / file.name)
    write_whole(path / MANIFEST, manifest.model_dump_json(indent=1).encode())


def _sweep(path: Path) -> None:
    """Create the folder, or delete everything in it but checkpoints."""
    path.mkdir(exist_ok=True)
    for leftover in path.iterdir():
        if leftover.name == CHECKPOINTS:
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def _read_manifest(path: Path) -> Manifest:
    text = (path / MANIFEST).read_bytes()
    try:
        values = json.loads(text)
        _check_version(path / MANIFEST, values)
        return Manifest.model_validate(values)
    except ValueError as error:
        raise ContractError(f"{path / MANIFEST} is not a manifest of version {MANIFEST_VERSION}: {error}") from error


def _check_version(path: Path, values: Any) -> None:
    found = values.get("version") if isinstance(values, dict) else None
    if isinstance(found, int) and found != MANIFEST_VERSION:
        raise StoreError(
            f"{path} has another version\nexpected  version {MANIFEST_VERSION}\nfound     version {found}\n"
            "Another release of w2v wrote this store: use that release, or choose another store with "
            "--set runtime.workspace=FOLDER."
        )


def _verifies(folder: Path, manifest: Manifest, *, read: bool) -> bool:
    names = [file.name for file in manifest.files]
    if not names or (not read and verified.noted(folder, names)):
        return True
    good = all(_whole(folder / file.name, file) for file in manifest.files)
    if good:
        verified.note(folder, names)
    return good


def _whole(path: Path, file: File) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes and digest_of_file(path) == file.digest


@contextmanager
def _explained_errors(root: Path) -> Iterator[None]:
    """Turn the errors of a full or read-only disk into StoreErrors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            free = shutil.disk_usage(root).free / 1e6
            raise StoreError(
                f"{root}: the disk is full ({free:.0f} MB free).\n"
                "No finished output is lost. Free some space, or move the workspace with "
                "--set runtime.workspace=FOLDER, and run the command again."
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StoreError(
                f"{root}: the store cannot be written ({error.strerror}: {error.filename}).\n"
                "Make the folder writable, or choose another with --set runtime.workspace=FOLDER."
            ) from error
        raise
