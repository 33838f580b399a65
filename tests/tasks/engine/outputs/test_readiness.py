"""A shared store is checked before work starts: it must answer, be ours, and keep the first of two objects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.loading import load
from flows.cli.output.doctor import _remote
from flows.planning.plan import plan
from tasks.engine.outputs import remote as remotes
from tasks.engine.outputs.readiness import FILE, LAYOUT, address_of, ready
from tasks.engine.outputs.remote import opened, prove
from tasks.errors import RemoteError, StoreError
from tests.support import object_store
from tests.support.object_store import BUCKET, ObjectStore


@pytest.fixture(scope="module")
def running() -> Iterator[ObjectStore]:
    with object_store.running() as server:
        yield server


@pytest.fixture
def server(running: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(remotes.RETRIES, "max_retries", 1)
    yield running
    running.fault = None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mnt").mkdir()
    return tmp_path / "mnt"


def test_a_store_is_proven_once(tmp_path: Path, server: ObjectStore) -> None:
    """The first command proves the store and remembers it; a later one asks only whether it answers."""
    address = f"s3://{BUCKET}/once"
    ready(tmp_path, address)
    assert address_of(tmp_path) == address
    assert server.keys("once") == [LAYOUT]
    server.requests.clear()

    ready(tmp_path, address)

    assert server.requests == [f"GET /{BUCKET}/once/{LAYOUT}"]


def test_a_folder_honours_the_condition_in_races(folder: Path) -> None:
    """On a file system one of several writers wins, and no probe is left."""
    prove(opened(f"file://{folder}"), races=3)

    assert not list(folder.iterdir())


def test_doctor_proves_a_good_server(server: ObjectStore) -> None:
    """Doctor's races have one winner each."""
    [(good, _, finding)] = _remote(f"s3://{BUCKET}/doctor")

    assert good
    assert "keeps the first" in finding


def test_a_server_that_ignores_the_condition_is_refused(tmp_path: Path, server: ObjectStore, corpus: Path) -> None:
    """Doctor refuses it, and a config that names it is refused before any work."""
    server.fault = object_store.ignoring_the_condition
    address = f"s3://{BUCKET}/ignoring"
    workspace = tmp_path / "ws"
    settings = [f"ingestion.source={corpus}", f"runtime.remote={address}", f"runtime.workspace={workspace}"]

    [(good, _, finding)] = _remote(address)
    assert not good
    assert "put-if-absent" in finding
    with pytest.raises(StoreError, match=r"does not honour put-if-absent(?s:.*)2 succeeded"):
        plan(load(None, settings))
    assert not workspace.exists()


def test_a_server_that_cannot_be_reached_is_refused_before_work(tmp_path: Path, server: ObjectStore) -> None:
    """The error says how to work without it."""
    server.fault = object_store.failing

    with pytest.raises(RemoteError, match=r"cannot be used(?s:.*)--set runtime\.remote="):
        ready(tmp_path, f"s3://{BUCKET}/away")


def test_a_bucket_that_does_not_exist(tmp_path: Path, server: ObjectStore) -> None:
    """A mistyped bucket is an error that names it."""
    with pytest.raises(RemoteError, match=r"^s3://no-such-bucket(?s:.*)NoSuchBucket"):
        ready(tmp_path, "s3://no-such-bucket/a")


def test_a_folder_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    """It may be on a disk that is not mounted."""
    with pytest.raises(StoreError, match=r"no such folder(?s:.*)Mount it"):
        ready(tmp_path, f"file://{tmp_path}/mnt")

    assert not (tmp_path / "mnt").exists()


def test_a_store_that_is_gone_is_not_begun_again(tmp_path: Path, folder: Path) -> None:
    """An empty mount point is not taken for a new store."""
    address = f"file://{folder}"
    ready(tmp_path / "ws", address)
    (folder / LAYOUT).unlink()

    with pytest.raises(StoreError, match=rf"the shared store is gone(?s:.*){FILE}"):
        ready(tmp_path / "ws", address)


def test_a_layout_of_another_version_is_refused(tmp_path: Path, folder: Path) -> None:
    """A later release may arrange the store in another way."""
    (folder / LAYOUT).write_text('{"version": 2}')

    with pytest.raises(StoreError, match=r"expected  version 1\nfound     version 2"):
        ready(tmp_path / "ws", f"file://{folder}")


def test_without_a_remote_nothing_is_written(tmp_path: Path) -> None:
    """Nothing is checked and nothing remembered."""
    ready(tmp_path, "")

    assert not list(tmp_path.iterdir())
