"""Garbage collection in a shared store: the law of the local one, with the leases of all hosts and without a lock."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.datasets.files import digest_of
from tasks.engine.leases import Uses
from tasks.engine.outputs import sharing
from tasks.engine.outputs.manifest import MANIFEST
from tasks.engine.outputs.remote import Remote, opened
from tasks.engine.store import Account, Dataset, Draft, Store, joined
from tasks.maintenance.garbage import DAY, Known, Policy
from tasks.maintenance.remote_garbage import collect

NONE_KEPT = Policy(last=0, days=0)


def known(name: str, status: str = "FINISHED", *, named: bool = False) -> Known:
    """Return a run that began and ended long ago."""
    at = time.time() - 100 * DAY
    return Known(name, status, "there", at, at, named, pinned=False, warm_start="")


@pytest.fixture
def address(tmp_path: Path) -> str:
    (tmp_path / "mnt").mkdir()
    return f"file://{tmp_path / 'mnt'}"


def made(
    tmp_path: Path, address: str, text: str, run: str = "", *, work: Callable[[Draft], Account] | None = None
) -> Dataset:
    """Return an output that a host has made and shared, leased by a run."""

    def write(draft: Draft) -> Account:
        draft.file("part.txt").write_text(text)
        return Account(unit="rows", read=1, written=1)

    if run:
        Uses(tmp_path / "a", address).note(run, "demo", digest_of(text))
    store = Store(tmp_path / "a" / "store", address)
    return store.make("demo", digest_of(text), {}, work or write, lambda *_: None)


def swept(tmp_path: Path, address: str, *runs: Known, policy: Policy = NONE_KEPT, **options: Any) -> list[str]:
    """Collect as another host, whose MLflow knows these runs; return the last part of each deleted name."""
    options = {"dry_run": False} | options
    done = collect(opened(address), tmp_path / "b", policy, lambda _: list(runs), **options)
    return [item.path.name for item in done.garbage]


def there(address: str, output: Dataset) -> bool:
    return sharing.find(opened(address), output.stage, output.key) is not None


def aged(tmp_path: Path, days: float) -> None:
    """Make every object this old."""
    for path in (tmp_path / "mnt").rglob("*"):
        if path.is_file():
            at = path.stat().st_mtime - days * DAY
            os.utime(path, (at, at))


def test_what_no_kept_run_uses_is_deleted(tmp_path: Path, address: str) -> None:
    """The outputs of a run at work on another host stay, those of a run that is not kept go, with its leases."""
    working, old = made(tmp_path, address, "working", "w"), made(tmp_path, address, "old", "o")
    runs = known("w", "RUNNING"), known("o")

    assert swept(tmp_path, address, *runs, dry_run=True) == [old.key]
    assert there(address, old)
    assert swept(tmp_path, address, *runs) == [old.key]
    assert (there(address, working), there(address, old)) == (True, False)
    assert set(sharing.leases(opened(address))) == {"w"}


def test_runs_of_another_mlflow_are_kept(tmp_path: Path, address: str) -> None:
    """A host cannot know whether they are at work."""
    output = made(tmp_path, address, "elsewhere", "e")

    assert swept(tmp_path, address, known("e", "UNKNOWN")) == []
    assert there(address, output)


def test_parts_stay_with_the_output_that_consists_of_them(tmp_path: Path, address: str) -> None:
    """A lease of an output protects its parts, which nobody has leased."""
    parts = [made(tmp_path, address, text) for text in ("one", "two")]

    def join(draft: Draft) -> Account:
        draft.parts = parts
        return joined(parts)

    made(tmp_path, address, "whole", "w", work=join)
    alone = made(tmp_path, address, "alone")
    aged(tmp_path, 100)

    assert swept(tmp_path, address, known("w", named=True)) == [alone.key]
    assert all(there(address, part) for part in parts)


def test_an_output_without_leases_stays_for_some_days(tmp_path: Path, address: str) -> None:
    """It may be new; later it is deleted."""
    output = made(tmp_path, address, "no lease")
    policy = Policy(last=0, days=30)

    assert swept(tmp_path, address, policy=policy) == []
    aged(tmp_path, 31)
    assert swept(tmp_path, address, policy=policy) == [output.key]


def test_abandoned_uploads_and_strays_go_after_a_day(tmp_path: Path, address: str) -> None:
    """Objects that no manifest names may be those of an upload, but not for longer than a day."""
    output = made(tmp_path, address, "good", "w")
    remote = opened(address)
    remote.put(f"outputs/demo/{digest_of('killed')}/abc.part.txt", b"half")
    remote.put(f"outputs/demo/{output.key}/stray.txt", b"other bits")
    runs = (known("w", "RUNNING"),)

    assert swept(tmp_path, address, *runs) == []
    aged(tmp_path, 1.1)
    assert sorted(swept(tmp_path, address, *runs)) == sorted([digest_of("killed"), "stray.txt"])
    assert there(address, output)


def test_a_lease_that_comes_meanwhile_saves_the_output(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that leases an output while it is chosen for deletion finds it afterwards."""
    output = made(tmp_path, address, "wanted again", "o")
    delete = Remote.delete

    def interrupted(remote: Remote, names: list[str]) -> None:
        if any(name.endswith(MANIFEST) for name in names):
            Uses(tmp_path / "c", address).note("new", output.stage, output.key)
        delete(remote, names)

    monkeypatch.setattr(Remote, "delete", interrupted)

    assert swept(tmp_path, address, known("o")) == []
    assert there(address, output)
