"""The second tier of the store: outputs that hosts share, and the leases that protect them.

    store.json                             the version of this layout
    outputs/<stage>/<key>/<digest>.<name>  a file of an output
    outputs/<stage>/<key>/manifest.json    written last, if absent: it makes the output exist
    uses/<run>/<stage>/<key>               an empty object: the run has looked this output up

An output is found if its manifest can be read and every object that it names has the size it should have. Its bytes
are verified when they arrive. Names contain the digest, so two hosts that push one output write the same objects.
"""

import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from tasks.datasets.files import sync
from tasks.engine.file_lock import Held
from tasks.engine.outputs.manifest import MANIFEST, File, FrozenModel, Key, Manifest, parsed
from tasks.engine.outputs.remote import AT_ONCE, Listed, Remote
from tasks.errors import ContractError, DeterminismError, RemoteError, StoreError

OUTPUTS, USES = "outputs", "uses"
ROUNDS = 4  # of a push that garbage collection disturbs
ATTEMPTS = 3  # to fetch a file whose bytes arrive wrong

log = logging.getLogger("w2v")


class Pushed(FrozenModel):
    """The content of a manifest object."""

    host: str
    when: datetime
    manifest: str  # as it is on the host that made it


def find(remote: Remote, stage: str, key: Key) -> Manifest | None:
    """Return the manifest of an output; None if there is none, or if one of its objects is missing or cut."""
    listed = remote.listed(folder(stage, key))
    return found[1] if (found := _read(remote, stage, key, listed)) and not _missing(found[1], listed) else None


def push(remote: Remote, path: Path, manifest: Manifest) -> None:
    """Put an output: files first, the manifest last and if absent. Raises DeterminismError if another differs."""
    place = folder(manifest.stage, manifest.key)
    for _ in range(ROUNDS):
        listed = remote.listed(place)
        there = _read(remote, manifest.stage, manifest.key, listed)
        if there and there[1].digest != manifest.digest:
            raise _different(remote, path, manifest, *there)
        missing = _missing(manifest, listed)
        if there and not missing:
            return
        if not all(file.there(path) for file in missing):
            return  # the files have never been here, and are gone there: nobody has the output any more
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda file: remote.put(f"{place}/{named(file)}", path / file.name), missing))
        if MANIFEST in listed and not there:  # damaged
            remote.delete([f"{place}/{MANIFEST}"])
        pushed = Pushed(host=socket.gethostname(), when=datetime.now(UTC), manifest=manifest.model_dump_json())
        remote.create(f"{place}/{MANIFEST}", pushed.model_dump_json().encode())
    raise RemoteError(f"{remote.place(place)}: its objects are deleted while they are put")


def pull(remote: Remote, wanted: Mapping[Path, list[File]]) -> None:
    """Fetch files into the folders of their outputs, and verify them. Raises StoreError if one is lost."""
    if not wanted:
        return
    started, size = time.perf_counter(), sum(file.bytes for files in wanted.values() for file in files)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda each: _pull(remote, *each), wanted.items()))
    what = ", ".join(sorted({path.parent.name for path in wanted}))
    text = "  %-12s %.1f MB fetched from %s in %.1f s"
    log.info(text, what, size / 1e6, remote.address, time.perf_counter() - started)


def folder(stage: str, key: str) -> str:
    """Return the prefix of an output's objects."""
    return f"{OUTPUTS}/{stage}/{key}"


def named(file: File) -> str:
    """Return the name of a file's object."""
    return f"{file.digest}.{file.name}"


def verifies(remote: Remote, manifest: Manifest) -> bool:
    """Read all objects of an output, and return whether their bytes are those that its manifest names."""
    try:
        place = folder(manifest.stage, manifest.key)
        return all(_copied(remote, f"{place}/{named(file)}", file, None) for file in manifest.files)
    except FileNotFoundError:
        return False


def lease(remote: Remote, run_id: str, stage: str, key: str) -> None:
    """Record that the run is about to look for this output."""
    remote.put(f"{USES}/{run_id}/{stage}/{key}", b"")


def leases(remote: Remote) -> dict[str, set[str]]:
    """Return what each run has leased, as `stage/key`."""
    found: dict[str, set[str]] = {}
    for name in remote.listed(USES):
        run_id, _, place = name.partition("/")
        found.setdefault(run_id, set()).add(place)
    return found


def forget(remote: Remote, run_id: str) -> None:
    """Delete the leases of a run."""
    remote.delete([f"{USES}/{run_id}/{name}" for name in remote.listed(f"{USES}/{run_id}")])


def manifest_of(remote: Remote, stage: str, key: str) -> Manifest | None:
    """Return the manifest of an output, whose objects may be missing; None if there is none that can be read."""
    found = _read(remote, stage, key, {MANIFEST: None})
    return found[1] if found else None


def manifests(remote: Remote, outputs: Iterable[str]) -> dict[str, Manifest]:
    """Return the manifest of each of these outputs, named `stage/key`, that has one."""
    places = sorted(outputs)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda place: manifest_of(remote, *place.split("/")), places)
    return {place: manifest for place, manifest in zip(places, found, strict=True) if manifest}


def _read(remote: Remote, stage: str, key: str, listed: Mapping[str, Listed | None]) -> tuple[Pushed, Manifest] | None:
    """Return the manifest object; None if there is none, or if it is cut or of another output."""
    name = f"{folder(stage, key)}/{MANIFEST}"
    content = remote.read(name) if MANIFEST in listed else None
    try:
        pushed = Pushed.model_validate_json(content or b"")
        manifest = parsed(pushed.manifest.encode(), remote.place(name))
    except (ValueError, ContractError):
        return None
    return (pushed, manifest) if (manifest.stage, manifest.key) == (stage, key) else None


def _missing(manifest: Manifest, listed: Mapping[str, Listed]) -> list[File]:
    sizes = {name: each.bytes for name, each in listed.items()}
    return [file for file in manifest.files if sizes.get(named(file)) != file.bytes]


def _pull(remote: Remote, path: Path, files: list[File]) -> None:
    """Fetch files of one output; of two processes, the second finds them."""
    path.mkdir(parents=True, exist_ok=True)
    with Held(path.with_suffix(".lock")), ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda file: _fetch(remote, path, file), [file for file in files if not file.there(path)]))


def _fetch(remote: Remote, path: Path, file: File) -> None:
    """Fetch one file; an object whose bytes are wrong each time is deleted, so that the output is computed again."""
    name = f"{folder(*path.parts[-2:])}/{named(file)}"
    beside = path / f"{file.name}.partial"
    try:
        if not any(_copied(remote, name, file, beside) for _ in range(ATTEMPTS)):
            remote.delete([name])
            raise StoreError(_lost(remote.place(name), f"digest {file.digest}", "other bytes; it was deleted"))
        sync(beside)
        os.replace(beside, path / file.name)
    except FileNotFoundError:
        raise StoreError(_lost(remote.place(name), f"{file.bytes:,} bytes", "no such object")) from None
    finally:
        beside.unlink(missing_ok=True)


def _copied(remote: Remote, name: str, file: File, path: Path | None) -> bool:
    """Write an object to a file, or nowhere; return whether its bytes are right."""
    digest = blake2b(digest_size=16)
    with open(path or os.devnull, "wb") as stream:
        for block in remote.blocks(name, file.bytes):
            digest.update(block)
            stream.write(block)
    return digest.hexdigest() == file.digest


def _lost(place: str, expected: str, found: str) -> str:
    return (
        f"{place} is damaged or was deleted\nexpected  {expected}\nfound     {found}\n"
        "Run the command again: what cannot be fetched is computed again."
    )


def _different(remote: Remote, path: Path, ours: Manifest, pushed: Pushed, theirs: Manifest) -> DeterminismError:
    place = remote.place(folder(ours.stage, ours.key))
    return DeterminismError(
        f"{ours.stage}/{ours.key}: two computations of one key gave different results\n"
        f"expected  digest {theirs.digest}, by host {pushed.host} at {pushed.when:%Y-%m-%d %H:%M} UTC, in {place}\n"
        f"found     digest {ours.digest}, by host {socket.gethostname()}, in {path}\n"
        "The key covers data, config, seed, code and kernels, so something else differs between the hosts: compare "
        f"their packages and CPUs, and check their memory.\nThen delete the wrong one: {path} or {place}."
    )
