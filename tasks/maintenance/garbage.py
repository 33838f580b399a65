"""Decide which outputs of a workspace are kept, and delete the rest."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from tasks.engine.leases import Uses
from tasks.engine.store import MANIFEST, SHARED, Dataset, Store, latest
from tasks.errors import ContractError
from tasks.tracking.names import KEEP

DAY = 86_400.0  # seconds
RESULTS = "prefect-results"  # folder in the workspace with Prefect's record of each output
OPEN = {"RUNNING", "UNKNOWN"}  # at work, or of another MLflow server, which cannot be asked


class Known(NamedTuple):
    """MLflow's record of a run."""

    id: str
    status: str  # MLflow's, or UNKNOWN, or DELETED
    host: str
    started: float
    ended: float  # seconds since 1970
    named: bool  # its model has an alias, such as `champion`
    pinned: bool  # a user has given it the tag `keep`
    warm_start: str  # the file it started from, or ""


def pinned(tags: Mapping[str, str]) -> bool:
    """Return True if a user has given the run the tag `keep`."""
    return tags.get(KEEP, "false").lower() not in ("false", "no", "0")


class Policy(NamedTuple):
    """Keep recent runs, besides those at work, those whose model has an alias, and those pinned by a user."""

    last: int
    days: float

    def keeps(self, runs: list[Known]) -> dict[str, str]:
        """Return the runs to keep, each with the reason."""
        newest = sorted((run for run in runs if run.status != "DELETED"), key=lambda run: -run.started)
        since = time.time() - self.days * DAY
        kept = {run.id: f"ended within {self.days:g} days" for run in newest if run.ended > since}
        kept |= {run.id: f"one of the last {self.last}" for run in newest[: self.last]}
        kept |= {run.id: "its model has an alias" for run in runs if run.named}
        kept |= {run.id: f"it has the tag `{KEEP}`" for run in runs if run.pinned}
        return kept | {run.id: run.status for run in runs if run.status in OPEN}


class Garbage(NamedTuple):
    """A folder to delete, with its size and the reason; in the remote, its path below the address."""

    path: Path
    bytes: int
    reason: str


class Collected(NamedTuple):
    garbage: list[Garbage]
    kept: dict[str, str]
    runs: list[Known]
    remote: str = ""  # the address of the remote that was swept, "" for the workspace


Ask = Callable[[list[str]], list[Known]]


def collect(workspace: Path, policy: Policy, ask: Ask, *, dry_run: bool) -> Collected:
    """Delete what no kept run uses; `ask` returns MLflow's records of the workspace's runs."""
    uses = Uses(workspace)
    with uses.lock:  # a run that starts now waits before it reads the store
        runs = ask(sorted({*uses.runs(), *(path.name for path in workspace.glob("unpublished/*/"))}))
        kept = policy.keeps(runs)
        used = uses.of(kept) | always(workspace, [run for run in runs if run.id in kept])
        noted = uses.of(uses.runs())
        used, noted = (places.union(*(_parts(workspace, place) for place in places)) for places in (used, noted))
        at_work = {run.id for run in runs if run.status in OPEN}
        garbage = list(_unused(workspace, used, noted, at_work, policy.days))
        if not dry_run:
            garbage = [item for item in garbage if _remove(item.path)]
            for run in runs:
                if run.id not in kept:
                    uses.forget(run.id)
    return Collected(garbage, kept, runs)


def _unused(workspace: Path, used: set[str], noted: set[str], at_work: set[str], days: float) -> Iterator[Garbage]:
    for path in sorted(workspace.glob("store/*/*/")):
        name = f"{path.parent.name}/{path.name}"
        if name in used:
            continue
        manifest = path / MANIFEST
        if not manifest.exists():
            yield Garbage(path, size_of(path), "an abandoned attempt")
        elif name in noted:
            yield Garbage(path, size_of(path), "no kept run uses it")
        elif (age := (time.time() - manifest.stat().st_mtime) / DAY) > days:  # from a version that recorded no use
            yield Garbage(path, size_of(path), f"{age:.0f} days old, and no run has recorded using it")
    for path in sorted(workspace.glob("unpublished/*/")):
        if path.name not in at_work:
            yield Garbage(path, size_of(path), "a publication that was killed")
    if not at_work:  # a working run may have a download that no output has read yet
        read = _read(workspace, used)
        for path in sorted(workspace.glob("downloads/*/")):
            if path.name not in read:
                yield Garbage(path, size_of(path), "no kept run has read it")


def _remove(path: Path) -> bool:
    """Delete an output; return False if a process is writing it."""
    lock = FileLock(path.with_suffix(".lock"), timeout=0)
    try:
        with lock:
            (path / MANIFEST).unlink(missing_ok=True)  # first, so that a kill leaves an abandoned attempt
            shutil.rmtree(path)
            path.with_suffix(SHARED).unlink(missing_ok=True)
            path.with_suffix(".lock").unlink()  # a process that waits for the lock notices and makes a new one
            (path.parents[2] / RESULTS / f"{path.parent.name}-{path.name}").unlink(missing_ok=True)
    except Timeout:
        return False
    return True


def always(workspace: Path, runs: list[Known]) -> set[str]:
    """Return what is used besides leased outputs: what these runs were warm-started from, and the last vectors."""
    return _starts(workspace, runs) | _latest(workspace)


def _latest(workspace: Path) -> set[str]:
    """Return the vectors that `w2v neighbors` uses by default."""
    if (newest := latest(workspace)) is None:
        return set()
    return {f"{newest.stage}/{newest.key}"}


def _starts(workspace: Path, runs: list[Known]) -> set[str]:
    """Return the trainings in this store that these runs were warm-started from."""
    store = Store(workspace / "store")
    paths = [store.own(Path(run.warm_start)) for run in runs if run.warm_start]
    return {path.parent.relative_to(store.root).as_posix() for path in paths if path.is_relative_to(store.root)}


def _parts(workspace: Path, place: str) -> set[str]:
    """Return the parts of an output in use; none if it is damaged or unfinished."""
    stage, key = place.split("/")
    output = Dataset(stage=stage, key=key, path=workspace / "store" / place, digest="")
    try:
        return {f"{part.stage}/{part.key}" for part in output.parts}
    except (FileNotFoundError, ContractError):
        return set()


def _read(workspace: Path, places: set[str]) -> set[str]:
    """Return the digests of the files from which these outputs were made."""
    manifests = (workspace / "store" / place / MANIFEST for place in places if place.startswith("ingestion/"))
    inputs = (json.loads(manifest.read_bytes())["inputs"] for manifest in manifests if manifest.exists())
    return {file["digest"] for each in inputs for file in each.get("files", [])}


def size_of(folder: Path) -> int:
    """Return the bytes of all files below the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
