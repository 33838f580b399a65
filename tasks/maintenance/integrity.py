"""Does MLflow still hold all that a finished run was given? Looked up by names and sizes; nothing large is fetched.

A person may delete a version, a clean-up a folder of files, and a full disk may cut one: the run stays FINISHED.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tasks import certificate as certificate_module
from tasks.errors import TrackingError, Unreachable
from tasks.tracking import models
from tasks.tracking.client import reached
from tasks.tracking.run import Run

if TYPE_CHECKING:
    from mlflow.entities import FileInfo

LARGE = "vectors/vectors.npy"  # as large as in each of the models


def gone(run: Run, name: str) -> list[str]:
    """What is missing or cut, in words: files, models, and the version registered under the name."""
    try:
        certificate = certificate_module.read(run)
    except Unreachable:
        raise
    except TrackingError:
        return [certificate_module.FILE]
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
