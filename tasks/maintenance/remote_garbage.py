"""Garbage collection in the store that hosts share, by the law of the local one, with the leases of all hosts.

No lock reaches every host. So the manifests go first, and then the leases are read again: an output that a run has
leased meanwhile gets its manifest back. A run that leases it later does not find it, and computes it.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tasks.engine.outputs import sharing
from tasks.engine.outputs.manifest import MANIFEST, Manifest
from tasks.engine.outputs.remote import Listed, Remote
from tasks.engine.outputs.sharing import OUTPUTS
from tasks.maintenance.garbage import DAY, Ask, Collected, Garbage, Policy, always

UNFINISHED = DAY  # seconds for which objects that no manifest names may be those of an upload


def collect(remote: Remote, workspace: Path, policy: Policy, ask: Ask, *, dry_run: bool) -> Collected:
    """Delete from the remote what no kept run uses; runs that MLflow does not know are kept, as they may be at work."""
    leases = sharing.leases(remote)
    runs = ask(sorted(leases))
    kept = policy.keeps(runs)
    outputs = _outputs(remote)
    manifests = sharing.manifests(remote, outputs)
    used = always(workspace, [run for run in runs if run.id in kept]).union(*(leases.get(run, ()) for run in kept))
    used = _with_parts(used, manifests)
    noted = _with_parts(set().union(*leases.values()), manifests)
    found = dict(_unused(outputs, manifests, used, noted, policy.days))
    if not dry_run:
        before = {(run, place) for run, places in leases.items() for place in places}
        found = _delete(remote, outputs, manifests, found, before)
        for run in runs:
            if run.id not in kept:
                sharing.forget(remote, run.id)
    return Collected(list(found.values()), kept, runs, remote.address)


Outputs = Mapping[str, Mapping[str, Listed]]  # by `stage/key`, the objects by name


def _outputs(remote: Remote) -> Outputs:
    found: dict[str, dict[str, Listed]] = {}
    for name, each in remote.listed(OUTPUTS).items():
        place, _, file = name.rpartition("/")
        found.setdefault(place, {})[file] = each
    return found


def _with_parts(places: set[str], manifests: Mapping[str, Manifest]) -> set[str]:
    known = (manifests[place] for place in places if place in manifests)
    return places | {f"{each.stage}/{part.key}" for each in known for part in each.parts}


def _unused(
    outputs: Outputs, manifests: Mapping[str, Manifest], used: set[str], noted: set[str], days: float
) -> Iterator[tuple[str, Garbage]]:
    """Yield each output to delete, and each object that no manifest names, with the reason."""
    now = time.time()
    for place, objects in sorted(outputs.items()):
        age = now - max(each.changed.timestamp() for each in objects.values())
        size = sum(each.bytes for each in objects.values())
        garbage = Garbage(Path(OUTPUTS) / place, size, "")
        if manifest := manifests.get(place):
            if place in used:
                named = {MANIFEST, *map(sharing.named, manifest.files)}
                strays = {name: each for name, each in objects.items() if name not in named}
                for name, each in strays.items():
                    if now - each.changed.timestamp() > UNFINISHED:
                        yield f"{place}/{name}", Garbage(garbage.path / name, each.bytes, "no manifest names it")
            elif place in noted:
                yield place, garbage._replace(reason="no kept run uses it")
            elif age / DAY > days:
                yield place, garbage._replace(reason=f"{age / DAY:.0f} days old, and no run has recorded using it")
        elif age > UNFINISHED:
            yield place, garbage._replace(reason="an abandoned upload")


def _delete(
    remote: Remote,
    outputs: Outputs,
    manifests: Mapping[str, Manifest],
    found: Mapping[str, Garbage],
    before: Iterable[tuple[str, str]],
) -> dict[str, Garbage]:
    """Delete what was found except what a run has leased meanwhile; return what was deleted."""
    names = {place: f"{OUTPUTS}/{place}/{MANIFEST}" for place in found if MANIFEST in outputs.get(place, {})}
    contents = {place: remote.read(name) for place, name in names.items()}
    remote.delete(list(names.values()))
    now = {(run, place) for run, places in sharing.leases(remote).items() for place in places}
    leased = _with_parts({place for _, place in now.difference(before)}, manifests)
    for place, content in contents.items():
        if place in leased and content is not None:
            remote.create(names[place], content)
    gone = {place: each for place, each in found.items() if place not in leased}
    objects = [
        f"{OUTPUTS}/{place}/{name}" if place in outputs else f"{OUTPUTS}/{place}"
        for place in gone
        for name in outputs.get(place, {"": None})
        if name != MANIFEST
    ]
    remote.delete(objects)
    return gone
