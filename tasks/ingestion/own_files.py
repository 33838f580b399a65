"""Leave files of workspaces and stores out of a source: they are never text to learn from."""

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from tasks.engine.store import LATEST, MANIFEST

log = logging.getLogger("w2v")

# the names at the top of a workspace
CONTENTS = frozenset(
    {
        "comparisons",
        "downloads",
        "matplotlib",
        "mlartifacts",
        "prefect",
        "prefect-results",
        "reproductions",
        "serve",
        "service",
        "store",
        "sweeps",
        "tmp",
        "unpublished",
        "uses",
        "waiting",
        LATEST,
        "promotion.lock",
        "reproduces",
        "runs.lock",
        *("mlflow.db" + end for end in ("", ".lock", ".partial", "-shm", "-wal", "-journal")),
    }
)
# any of these marks a workspace: with MLflow on a server there is no database, and a new one has no store
MARKS = ("mlflow.db", "uses/.lock", "prefect/prefect.db", "service/.lock")


def without_own(files: Iterable[Path], root: Path) -> list[Path]:
    """Return the files below `root` that belong to no workspace or store; log once what was left out."""
    kind = functools.cache(_kind)
    places = {file: _place(file, root, kind) for file in files}
    for place, count in sorted(Counter(filter(None, places.values())).items()):
        _tell(place, kind(place), count)
    return [file for file, place in places.items() if place is None]


def _place(file: Path, root: Path, kind: Callable[[Path], str]) -> Path | None:
    """Return the workspace or store that a file belongs to, if any; a workspace may also hold a user's text."""
    inside = file.relative_to(root)
    below = [root / parent for parent in reversed(inside.parents) if parent.parts]  # the outermost one
    if place := next((folder for folder in below if kind(folder)), None):
        return place
    return root if kind(root) == "store" or (kind(root) and inside.parts[:1] and inside.parts[0] in CONTENTS) else None


def _kind(folder: Path) -> str:
    if any((folder / mark).exists() for mark in MARKS):
        return "workspace"
    return "store" if next(folder.glob(f"ingestion/*/{MANIFEST}"), None) else ""


@functools.cache  # logged once
def _tell(place: Path, kind: str, count: int) -> None:
    log.info("not a source: %s, a %s of w2v (files left out: %d)", place, kind, count)
