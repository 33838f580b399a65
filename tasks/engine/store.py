"""The content-addressed store: `<store>/<stage>/<key>/` holds a stage's files and, written last, their manifest.

The key is a digest of everything that can change the result. A folder whose manifest exists and verifies is the
result; whatever else lies there is an abandoned attempt, and is swept by the next one. One process at a time
computes a key; the lock is the operating system's and dies with its holder.
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

from tasks.datasets.files import digest_of, digest_of_file, sync, undamaged, write_whole
from tasks.engine.file_lock import Held
from tasks.errors import ContractError, StoreError

MANIFEST = "manifest.json"
CHECKPOINTS = "checkpoints"  # survives a sweep: the stage itself decides which of them still fit
LATEST = "latest.json"  # in the workspace: the training output of the last retraining
MANIFEST_VERSION = 1
KEY_LENGTH = 32  # hex digits


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class File(Record):
    name: str
    digest: str
    bytes: int
    rows: int | None = None


class Account(Record):
    """What went in, what came out, and why the rest did not; the sums balance."""

    unit: str
    read: int
    written: int
    left_out: dict[str, int] = {}

    def check(self) -> None:
        if self.read != self.written + sum(self.left_out.values()):
            raise AssertionError(f"the account does not balance: {self}")


class Part(Record):
    """One of the outputs of the same stage that an output consists of."""

    key: str
    digest: str


class Manifest(Record):
    version: int = MANIFEST_VERSION
    stage: str
    key: str
    inputs: dict[str, Any]  # what the key was made of
    files: list[File]
    parts: list[Part] = []  # in order; who has parts has no files
    account: Account
    facts: dict[str, Any]  # small figures that later stages and people want

    @property
    def digest(self) -> str:
        """Of the content alone: two keys with the same files have the same digest."""
        return digest_of([(file.name, file.digest) for file in self.files] + [part.digest for part in self.parts])


class Dataset(Record):
    """A reference to one stage's finished output: what passes between tasks."""

    stage: str
    key: str
    path: Path
    digest: str

    @property
    def manifest(self) -> Manifest:
        return _read_manifest(self.path)

    @property
    def parts(self) -> list["Dataset"]:
        """What it consists of: outputs that others may share, or itself alone."""
        found = [
            self.model_copy(update={**dict(part), "path": self.path.with_name(part.key)})
            for part in self.manifest.parts
        ]
        return found or [self]

    def files(self, suffix: str = ".parquet") -> list[Path]:
        """Of all parts, in order."""
        names = [(part.path, file.name) for part in self.parts for file in part.manifest.files]
        return [path / name for path, name in names if name.endswith(suffix)]


def joined(parts: Sequence[Dataset]) -> Account:
    """The account of all parts together."""
    accounts = [part.manifest.account for part in parts]
    left_out: Counter[str] = Counter()
    for account in accounts:
        left_out.update(account.left_out)
    read, written = (sum(getattr(account, name) for account in accounts) for name in ("read", "written"))
    return Account(unit=accounts[0].unit, read=read, written=written, left_out=left_out)


def latest(workspace: Path) -> Dataset | None:
    """The training output of the last retraining; the store may have moved since, and its path says where it was."""
    try:
        content = (workspace / LATEST).read_bytes()
    except FileNotFoundError:
        return None
    with undamaged(workspace / LATEST, "Delete it: the next `w2v retrain` writes it again."):
        noted = Dataset.model_validate_json(content)
    return noted.model_copy(update={"path": workspace.absolute() / "store" / noted.stage / noted.key})


class Draft:
    """An output in the making: a stage writes its files to `path` and says what each holds."""

    def __init__(self, path: Path, report: Callable[[float, float, str], None]) -> None:
        self.path = path
        self.report = report  # (done, total, what is worth saying now)
        self.facts: dict[str, Any] = {}
        self.parts: list[Dataset] = []  # instead of files

    def file(self, name: str) -> Path:
        """Where to write the file `name`."""
        return self.path / name

    def entries(self) -> list[File]:
        return [_entry(path) for path in sorted(self.path.iterdir()) if path.is_file()]


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def find(self, stage: str, key: str) -> Dataset | None:
        """The finished output, or None if there is none that verifies: a file is missing or its bytes changed.

        Raises StoreError if its manifest is of another version: that is no damage, and must not be swept.
        """
        path = self.root / stage / key
        try:
            manifest = _read_manifest(path)
        except (FileNotFoundError, ContractError):
            return None
        if not all(_verifies(path, file) for file in manifest.files):
            return None
        parts = [self.find(stage, part.key) for part in manifest.parts]
        if [part and part.digest for part in parts] != [part.digest for part in manifest.parts]:
            return None
        return Dataset(stage=stage, key=key, path=path, digest=manifest.digest)

    def own(self, path: Path) -> Path:
        """A file of this store that was named when the store was elsewhere; any other path as it is."""
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
        """The output of `work`, computed now unless another process has just done so."""
        path = self.root / stage / key
        with _clear_errors(self.root):
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
                except BaseException:
                    _sweep(path)  # a full disk has its space back
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
            f"{path} is of another version\nexpected  version {MANIFEST_VERSION}\nfound     version {found}\n"
            "Another w2v has written this store: go on with that one, or choose another store with "
            "--set runtime.workspace=FOLDER."
        )


def _verifies(folder: Path, file: File) -> bool:
    path = folder / file.name
    return path.is_file() and path.stat().st_size == file.bytes and digest_of_file(path) == file.digest


@contextmanager
def _clear_errors(root: Path) -> Iterator[None]:
    """What the disk refuses, in the words of the one who must act."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            free = shutil.disk_usage(root).free / 1e6
            raise StoreError(
                f"{root}: the disk is full ({free:.0f} MB free).\n"
                "Nothing finished is lost. Free some space, or move the workspace with "
                "--set runtime.workspace=FOLDER, and run the command again."
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StoreError(
                f"{root}: the store cannot be written ({error.strerror}: {error.filename}).\n"
                "Make the folder writable, or choose another with --set runtime.workspace=FOLDER."
            ) from error
        raise
