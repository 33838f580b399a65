"""Check that MLflow still has everything that a finished run was given, by names and sizes, without large downloads.

A user may delete a version, a clean-up a folder, and a full disk may truncate a file: the run stays FINISHED.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tasks.certificate import read
from tasks.errors import TrackingError, Unreachable
from tasks.tracking import models
from tasks.tracking.client import reached
from tasks.tracking.names import CERTIFICATE, VECTORS
from tasks.tracking.run import Run

if TYPE_CHECKING:
    from mlflow.entities import FileInfo

LARGE = f"{VECTORS}/vectors.npy"  # has the same size in each model


def gone(run: Run, name: str) -> list[str]:
    """Return descriptions of what is missing or truncated: files, models, and the version registered as `name`."""
    try:
        certificate = read(run)
    except Unreachable:
        raise
    except TrackingError:
        return [CERTIFICATE]
    wanted: dict[str, int | None] = dict.fromkeys(certificate["artifacts"]) | certificate.get("sizes", {})
    with reached(run.uri) as client:
        there = dict(_files(lambda folder: client.list_artifacts(run.id, folder), ""))
        found = [file for file, size in wanted.items() if file not in there or size not in (None, there[file])]
        for epoch in [None, *map(int, certificate.get("epochs", {}))]:
            model = models.find(client, run, epoch)
            if model is None or not models.whole(client, model, {"vectors.npy": wanted.get(LARGE)}):
                found.append("the model" if epoch is None else f"the model of epoch {epoch}")
            elif epoch is None and not models.versions(client, run, name, model):
                found.append(f"the version of {name!r}")
    return found


def _files(listed: Callable[[str], "list[FileInfo]"], folder: str) -> Iterator[tuple[str, int | None]]:
    for each in listed(folder):
        if each.is_dir:
            yield from _files(listed, each.path)
        else:
            yield each.path, each.file_size
