"""Checkpoints of a training: written completely or not at all; the last two are kept.

Beside them lie files that the training finishes before its end and that will be part of its output. Everything is
inside the folder of the training's key, so a checkpoint of another config, data or code is never found there. One that
was put there by hand is refused.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.datasets.files import digest_of_file, sync, whole, write_whole
from tasks.engine.store import CHECKPOINTS
from tasks.errors import StoreError

KEPT = 2
TABLES = "theta.npy"
NGRAMS = "ngrams.npy"
STATE = "state.json"


class Checkpoint(NamedTuple):
    """The state of a training at one point."""

    theta: NDArray[np.float32]  # (V, 2, D): both tables
    state: dict[str, Any]  # plain JSON: the position, and the curve so far
    ngrams: NDArray[np.float32] | None = None  # (G, D): the rows of subwords


class Checkpoints:
    """The checkpoints of one training."""

    def __init__(self, output: Path) -> None:
        """Use the folder `output` of the training in the store; its name is the training's key."""
        self.folder = output / CHECKPOINTS
        self._key = output.name

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a new checkpoint, delete all but the last two, and return the new one's folder."""
        names = self._names()
        path = self.folder / f"{int(names[-1]) + 1 if names else 0:06d}"
        path.mkdir(parents=True)
        arrays = {TABLES: checkpoint.theta}
        if checkpoint.ngrams is not None:
            arrays[NGRAMS] = checkpoint.ngrams
        for name, array in arrays.items():
            with open(path / name, "wb") as stream:
                np.save(stream, array, allow_pickle=False)
            sync(path / name)
        # The state comes last and holds the digest of the tables: without it the checkpoint does not exist. It names
        # the finished files as well, since a training that resumes here does not write them again.
        files = sorted(file.name for file in self.folder.glob("*.parquet"))
        digests = {name: digest_of_file(path / name) for name in arrays}
        state = {"key": self._key, "tables": digests, "files": files, **checkpoint.state}
        write_whole(path / STATE, json.dumps(state).encode())
        for name in names[: 1 - KEPT]:
            shutil.rmtree(self.folder / name)
        return path

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """Yield a path to write a Parquet file of the output to; every later checkpoint includes the file."""
        self.folder.mkdir(exist_ok=True)
        with whole(self.folder / name) as path:
            yield path

    def latest(self) -> Checkpoint | None:
        """Return the newest complete checkpoint, None if there is none. Delete newer ones that a crash left incomplete.

        Raises StoreError if the checkpoint belongs to another training.
        """
        for name in reversed(self._names()):
            path = self.folder / name
            try:
                state = json.loads((path / STATE).read_bytes())
                self._check(path, state.pop("key"))
                there = all((self.folder / name).is_file() for name in state.pop("files"))
                tables = state.pop("tables")
                if there and all(digest_of_file(path / name) == digest for name, digest in tables.items()):
                    arrays = {name: np.load(path / name, allow_pickle=False) for name in tables}
                    return Checkpoint(arrays[TABLES], state, arrays.get(NGRAMS))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                pass
            shutil.rmtree(path)
        return None

    def _check(self, path: Path, key: str) -> None:
        if key != self._key:
            raise StoreError(
                f"{path} is a checkpoint of another training\nexpected  key {self._key}\nfound     key {key}\n"
                "Its config, data or code is different. Delete the folder to start this training from the beginning."
            )

    @property
    def kept(self) -> str:
        """Return a sentence that says where the newest checkpoint lies, for a message."""
        names = self._names()
        return (
            f"The last good checkpoint is kept in {self.folder / names[-1]}."
            if names
            else "There was no checkpoint yet."
        )

    def _names(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*/"))
