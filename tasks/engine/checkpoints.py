"""Checkpoints of a training: whole or not at all, the last two kept.

Beside them lie files that the training has finished before its end, and which will be part of its output. All is
inside the folder of the training's key, so a checkpoint of another config, data or code is never met; one that was put
there by hand is refused.
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
STATE = "state.json"


class Checkpoint(NamedTuple):
    theta: NDArray[np.float32]  # (V, 2, D): both tables
    state: dict[str, Any]  # plain JSON: where training stands, and its curve so far


class Checkpoints:
    def __init__(self, output: Path) -> None:
        self.folder = output / CHECKPOINTS
        self._key = output.name

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a new checkpoint, then drop all but the last two."""
        names = self._names()
        path = self.folder / f"{int(names[-1]) + 1 if names else 0:06d}"
        path.mkdir(parents=True)
        with open(path / TABLES, "wb") as stream:
            np.save(stream, checkpoint.theta, allow_pickle=False)
        sync(path / TABLES)
        # the state comes last and vouches for the tables: without it the checkpoint does not exist
        # it vouches for the files as well: whoever goes on from here will not make them again
        files = sorted(file.name for file in self.folder.glob("*.parquet"))
        state = {"key": self._key, "tables": digest_of_file(path / TABLES), "files": files, **checkpoint.state}
        write_whole(path / STATE, json.dumps(state).encode())
        for name in names[: 1 - KEPT]:
            shutil.rmtree(self.folder / name)
        return path

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """Where to write a Parquet file that stays; a checkpoint saved after it stands for a training that has it."""
        self.folder.mkdir(exist_ok=True)
        with whole(self.folder / name) as path:
            yield path

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; what a crash left half-written is passed over and removed.

        Raises StoreError if it is another training's.
        """
        for name in reversed(self._names()):
            path = self.folder / name
            try:
                state = json.loads((path / STATE).read_bytes())
                self._check(path, state.pop("key"))
                there = all((self.folder / name).is_file() for name in state.pop("files"))
                if there and digest_of_file(path / TABLES) == state.pop("tables"):
                    return Checkpoint(np.load(path / TABLES, allow_pickle=False), state)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                pass
            shutil.rmtree(path)
        return None

    def _check(self, path: Path, key: str) -> None:
        if key != self._key:
            raise StoreError(
                f"{path} is a checkpoint of another training\nexpected  key {self._key}\nfound     key {key}\n"
                "Its config, data or code is not this one's: remove the folder, and the training starts anew."
            )

    @property
    def kept(self) -> str:
        """Where the newest one lies, for a message."""
        names = self._names()
        return (
            f"The last good checkpoint is kept in {self.folder / names[-1]}."
            if names
            else "There was no checkpoint yet."
        )

    def _names(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*/"))
