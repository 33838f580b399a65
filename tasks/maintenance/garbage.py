"""What of a workspace is kept, and the removal of the rest: policy first, then files."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from tasks.engine import store as engine_store
from tasks.engine.leases import Uses
from tasks.engine.store import MANIFEST, Dataset, Store
from tasks.errors import ContractError
from tasks.tracking.names import KEEP

DAY = 86_400.0  # seconds
RESULTS = "prefect-results"  # in the workspace: Prefect's record of each output
OPEN = {"RUNNING", "UNKNOWN"}  # at work, or of another MLflow server: nobody here can tell


class Known(NamedTuple):
    """What MLflow knows of a run."""

    id: str
    status: str  # MLflow's, or UNKNOWN, or DELETED
    host: str
    started: float
    ended: float  # seconds since 1970
    named: bool  # its model has an alias, such as `champion`
    pinned: bool  # somebody has given it the tag `keep`
    warm_start: str  # the file it started from, or ""


def pinned(tags: Mapping[str, str]) -> bool:
    return tags.get(KEEP, "false").lower() not in ("false", "no", "0")


class Policy(NamedTuple):
    """Besides the runs at work, those whose model has an alias, and those that a person has pinned."""

    last: int
    days: float

    def keeps(self, runs: list[Known]) -> dict[str, str]:
        """The runs to keep, each with the reason."""
        newest = sorted((run for run in runs if run.status != "DELETED"), key=lambda run: -run.started)
        since = time.time() - self.days * DAY
        kept = {run.id: f"ended within {self.days:g} days" for run in newest if run.ended > since}
        kept |= {run.id: f"one of the last {self.last}" for run in newest[: self.last]}
        kept |= {run.id: "its model has an alias" for run in runs if run.named}
        kept |= {run.id: f"it has the tag `{KEEP}`" for run in runs if run.pinned}
        return kept | {run.id: run.status for run in runs if run.status in OPEN}


class Garbage(NamedTuple):
    path: Path
    bytes: int
    reason: str


class Swept(NamedTuple):
    garbage: list[Garbage]
    kept: dict[str, str]
    runs: list[Known]


def sweep(workspace: Path, policy: Policy, ask: Callable[[list[str]], list[Known]], *, dry_run: bool) -> Swept:
    """Remove what no kept run uses; `ask` tells what MLflow knows of the workspace's runs."""
    uses = Uses(workspace)
    with uses.lock:  # a run that starts now waits before it looks into the store
        runs = ask(sorted({*uses.runs(), *(path.name for path in workspace.glob("unpublished/*/"))}))
        kept = policy.keeps(runs)
        used = uses.of(kept) | _starts(workspace, [run for run in runs if run.id in kept]) | _latest(workspace)
        noted = uses.of(uses.runs())
        used, noted = (places.union(*(_parts(workspace, place) for place in places)) for places in (used, noted))
        at_work = {run.id for run in runs if run.status in OPEN}
        garbage = list(_unused(workspace, used, noted, at_work, policy.days))
        if not dry_run:
            garbage = [item for item in garbage if _remove(item.path)]
            for run in runs:
                if run.id not in kept:
                    uses.forget(run.id)
    return Swept(garbage, kept, runs)


def _unused(workspace: Path, used: set[str], noted: set[str], at_work: set[str], days: float) -> Iterator[Garbage]:
    for path in sorted(workspace.glob("store/*/*/")):
        name = f"{path.parent.name}/{path.name}"
        if name in used:
            continue
        manifest = path / MANIFEST
        if not manifest.exists():
            yield Garbage(path, _size(path), "an abandoned attempt")
        elif name in noted:
            yield Garbage(path, _size(path), "no kept run uses it")
        elif (age := (time.time() - manifest.stat().st_mtime) / DAY) > days:  # made by a version that took no note
            yield Garbage(path, _size(path), f"{age:.0f} days old, and no run has noted that it uses it")
    for path in sorted(workspace.glob("unpublished/*/")):
        if path.name not in at_work:
            yield Garbage(path, _size(path), "a publication that was killed")
    if not at_work:  # who works may have fetched what no output has read yet
        read = _read(workspace, used)
        for path in sorted(workspace.glob("downloads/*/")):
            if path.name not in read:
                yield Garbage(path, _size(path), "no kept run has read it")


def _remove(path: Path) -> bool:
    """False if somebody is making it at this moment."""
    lock = FileLock(path.with_suffix(".lock"), timeout=0)
    try:
        with lock:
            (path / MANIFEST).unlink(missing_ok=True)  # first: what is left if we are killed is an abandoned attempt
            shutil.rmtree(path)
            path.with_suffix(".lock").unlink()  # who waits for it notices that it is gone, and makes a new one
            (path.parents[2] / RESULTS / f"{path.parent.name}-{path.name}").unlink(missing_ok=True)
    except Timeout:
        return False
    return True


def _latest(workspace: Path) -> set[str]:
    """The vectors that `w2v neighbors` asks."""
    if (latest := engine_store.latest(workspace)) is None:
        return set()
    return {f"{latest.stage}/{latest.key}"}


def _starts(workspace: Path, runs: list[Known]) -> set[str]:
    """The trainings in this store that these runs started from."""
    store = Store(workspace / "store")
    paths = [store.own(Path(run.warm_start)) for run in runs if run.warm_start]
    return {path.parent.relative_to(store.root).as_posix() for path in paths if path.is_relative_to(store.root)}


def _parts(workspace: Path, place: str) -> set[str]:
    """What an output in use consists of; nobody knows it of one that is damaged or still to be made."""
    stage, key = place.split("/")
    output = Dataset(stage=stage, key=key, path=workspace / "store" / place, digest="")
    try:
        return {f"{part.stage}/{part.key}" for part in output.parts}
    except (FileNotFoundError, ContractError):
        return set()


def _read(workspace: Path, places: set[str]) -> set[str]:
    """The digests of the files from which these outputs were made."""
    manifests = (workspace / "store" / place / MANIFEST for place in places if place.startswith("ingestion/"))
    inputs = (json.loads(manifest.read_bytes())["inputs"] for manifest in manifests if manifest.exists())
    return {file["digest"] for each in inputs for file in each.get("files", [])}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
