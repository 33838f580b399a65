"""The content-addressed store: `<store>/<stage>/<key>/` holds a stage's files and, written last, their manifest.

The key is a digest of everything that can change the result. A folder whose manifest exists and verifies is the
result; anything else in it is an abandoned attempt, which the next attempt deletes. One process at a time computes a
key; the lock is the operating system's and ends with the process that holds it.

A remote is a second tier, which hosts share: each output is also put there, and one that is there is found. Then its
manifest is here and its files follow when they are read.
"""

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from filelock import Timeout

from tasks.datasets import verified
from tasks.datasets.files import sync, write_whole
from tasks.engine.file_lock import Held
from tasks.engine.outputs import remote, sharing
from tasks.engine.outputs.dataset import LATEST, Dataset, Latest, joined, latest
from tasks.engine.outputs.manifest import (
    KEY_LENGTH,
    MANIFEST,
    MANIFEST_VERSION,
    Account,
    File,
    FrozenModel,
    Manifest,
    Part,
    entry,
    read_manifest,
)
from tasks.errors import ContractError, StoreError

__all__ = [
    "CHECKPOINTS",
    "KEY_LENGTH",
    "LATEST",
    "MANIFEST",
    "MANIFEST_VERSION",
    "SHARED",
    "Account",
    "Dataset",
    "Draft",
    "File",
    "FrozenModel",
    "Latest",
    "Manifest",
    "Part",
    "Store",
    "joined",
    "latest",
]

CHECKPOINTS = "checkpoints"  # kept when an attempt is deleted: the stage itself decides which of them it can use
SHARED = ".shared"  # suffix of a file beside an output: the remote had it when the file was written
FRESH = 86_400.0  # seconds for which that is believed


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
        return [entry(path) for path in sorted(self.path.iterdir()) if path.is_file()]


class Store:
    """The store below a folder, with the address of the remote behind it, or ""."""

    def __init__(self, root: Path, remote: str = "") -> None:
        self.root = root.absolute()
        self.remote = remote

    def find(self, stage: str, key: str, *, read: bool = False) -> Dataset | None:
        """Return the finished output; None if there is none, or if a file is missing or its bytes have changed.

        Bytes that were verified, and of which nothing has changed since, are not read again, unless `read` is set.
        Raises StoreError if its manifest has another version: that is not damage, and must not be deleted.
        """
        return self._here(stage, key, read=read) or self._there(stage, key)

    def share(self, output: Dataset) -> None:
        """Put an output of this store, and its parts, into the remote unless they are there.

        Raises DeterminismError if the remote has another result. If it cannot be reached, a later call does it.
        """
        if not self.remote or self.shared(output.stage, output.key):
            return
        parts = output.parts
        for part in parts if parts != [output] else []:
            self.share(part)
        with remote.going_on():
            sharing.push(remote.opened(self.remote), output.path, output.manifest)
            self._mark(output.path)

    def shared(self, stage: str, key: str) -> bool:
        """Return True if the remote has had this output a short time ago."""
        mark = (self.root / stage / key).with_suffix(SHARED)
        try:
            fresh = time.time() - mark.stat().st_mtime < FRESH
            return bool(self.remote) and fresh and mark.read_text() == remote.opened(self.remote).identity
        except FileNotFoundError:
            return False

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
                if done := self._here(stage, key) or self._there(stage, key, locked=True):
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
                path.with_suffix(SHARED).unlink(missing_ok=True)
        made = Dataset(stage=stage, key=key, path=path, digest=manifest.digest, remote=self.remote)
        self.share(made)
        return made

    def _here(self, stage: str, key: str, *, read: bool = False) -> Dataset | None:
        """Return the output if all its files are here and verify; its parts may be in the remote."""
        path = self.root / stage / key
        try:
            manifest = read_manifest(path)
        except (FileNotFoundError, ContractError):
            return None
        return self._whole(path, manifest, read=read) if _verifies(path, manifest, read=read) else None

    def _there(self, stage: str, key: str, *, locked: bool = False) -> Dataset | None:
        """Return the output if the remote has it, after writing its manifest here."""
        if not self.remote:
            return None
        with remote.going_on():
            manifest = sharing.find(remote.opened(self.remote), stage, key)
            if manifest and self._adopted(manifest, locked=locked):
                return self._whole(self.root / stage / key, manifest)
        return None

    def _adopted(self, manifest: Manifest, *, locked: bool) -> bool:
        """Write a manifest here; return False if another process computes the output at the moment."""
        path = self.root / manifest.stage / manifest.key
        with _explained_errors(self.root):
            path.mkdir(parents=True, exist_ok=True)
            try:
                with nullcontext() if locked else Held(path.with_suffix(".lock"), timeout=0):
                    for file in manifest.files:
                        if not file.verifies(path):
                            (path / file.name).unlink(missing_ok=True)
                    write_whole(path / MANIFEST, manifest.model_dump_json(indent=1).encode())
                    self._mark(path)
            except Timeout:
                return False
        return True

    def _whole(self, path: Path, manifest: Manifest, *, read: bool = False) -> Dataset | None:
        """Return the output if all its parts are found."""
        with ThreadPoolExecutor(remote.AT_ONCE if self.remote else 1) as pool:
            parts = list(pool.map(lambda part: self.find(manifest.stage, part.key, read=read), manifest.parts))
        if [part and part.digest for part in parts] != [part.digest for part in manifest.parts]:
            return None
        return Dataset(stage=manifest.stage, key=manifest.key, path=path, digest=manifest.digest, remote=self.remote)

    def _mark(self, path: Path) -> None:
        path.with_suffix(SHARED).write_text(remote.opened(self.remote).identity)


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


def _verifies(folder: Path, manifest: Manifest, *, read: bool) -> bool:
    names = [file.name for file in manifest.files]
    if not names or (not read and verified.noted(folder, names)):
        return True
    good = all(file.verifies(folder) for file in manifest.files)
    if good:
        verified.note(folder, names)
    return good


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
