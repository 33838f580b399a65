"""The store: outputs are complete or absent, computed once, and verified."""

import errno
import multiprocessing
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tasks.datasets import verified
from tasks.datasets.files import digest_of, digest_of_file
from tasks.engine.outputs import manifest as manifests
from tasks.engine.store import LATEST, MANIFEST, Account, Dataset, Draft, Store, joined, latest
from tasks.errors import StoreError

KEY = digest_of("some inputs")


def silent(done: float, total: float, text: str) -> None: ...


def write_two_rows(draft: Draft) -> Account:
    draft.file("part.txt").write_text("one\ntwo\n")
    draft.facts["letters"] = 6
    return Account(unit="rows", read=3, written=2, left_out={"empty": 1})


def make(store: Store, work=write_two_rows) -> Dataset:
    return store.make("demo", KEY, {"seed": 1}, work, silent)


def test_finished_output_is_found_again(tmp_path: Path) -> None:
    """find() returns what make() returned, with the account and the facts in its manifest."""
    store = Store(tmp_path)

    made = make(store)

    assert store.find("demo", KEY) == made
    assert made.manifest.account.left_out == {"empty": 1}
    assert made.manifest.facts == {"letters": 6}


def test_finished_output_is_not_computed_again(tmp_path: Path) -> None:
    """A second make() of the same key does no work."""
    make(Store(tmp_path))

    def fail(draft: Draft) -> Account:
        raise AssertionError("computed twice")

    assert make(Store(tmp_path), fail).stage == "demo"


@pytest.mark.parametrize("damage", ["change", "truncate", "delete", "manifest"])
def test_damaged_output_is_computed_again(tmp_path: Path, damage: str) -> None:
    """After one changed byte, a short or missing file, or a broken manifest, the output is computed again."""
    store = Store(tmp_path)
    made = make(store)
    file = made.path / (MANIFEST if damage == "manifest" else "part.txt")
    if damage == "delete":
        file.unlink()
    else:
        file.write_bytes(b"ONE\ntwo\n" if damage == "change" else file.read_bytes()[:-1])

    assert store.find("demo", KEY) is None
    assert make(store).digest == made.digest
    assert store.find("demo", KEY) == made


def untouched(path: Path, content: bytes) -> None:
    """Change the bytes of a file as a disk does: nothing else about it changes but the time of its inode's change."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    with open(path, "r+b") as file:
        file.write(content)
    os.utime(path, ns=times)


def test_bytes_are_read_again_only_if_something_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look-up reads no byte; after a new start of the system the first one reads all; `read` always does."""
    store, read = Store(tmp_path), []
    made = make(store)
    time.sleep(0.1)
    store.find("demo", KEY)
    monkeypatch.setattr(manifests, "digest_of_file", lambda path: read.append(path.name) or digest_of_file(path))

    assert store.find("demo", KEY) == made
    assert read == []
    assert store.find("demo", KEY, read=True) == made
    assert read == ["part.txt"]
    monkeypatch.setattr(verified, "_boot", lambda: "another")
    assert [store.find("demo", KEY) for _ in range(2)] == [made, made]
    assert read == ["part.txt"] * 2


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path: Path) -> None:
    """Even if a program sets the time of the last change back."""
    store = Store(tmp_path)
    made = make(store)
    time.sleep(0.1)
    store.find("demo", KEY)
    untouched(made.path / "part.txt", b"ONE\ntwo\n")

    assert store.find("demo", KEY) is None


def test_a_change_right_after_the_work_is_noticed(tmp_path: Path) -> None:
    """Within the smallest difference of two times: a file is noted only once it is older than that."""
    store = Store(tmp_path)
    for number in range(20):
        made = store.make("demo", digest_of(number), {}, write_two_rows, silent)
        untouched(made.path / "part.txt", b"ONE\ntwo\n")

        assert store.find("demo", made.key) is None


@pytest.mark.parametrize("noise", [b"", b"[]", b'{"a": 1}', b"\xff"])
def test_a_damaged_note_means_reading(noise: bytes, tmp_path: Path) -> None:
    """The output is verified, and noted anew."""
    store = Store(tmp_path)
    made = make(store)
    time.sleep(0.1)
    (made.path / verified.NOTE).write_bytes(noise)

    assert store.find("demo", KEY) == made
    assert verified.noted(made.path, ["part.txt"])


def test_an_abandoned_attempt_is_deleted(tmp_path: Path) -> None:
    """Files that a killed attempt left are not in the finished output."""
    store = Store(tmp_path)
    (tmp_path / "demo" / KEY / "folder").mkdir(parents=True)
    (tmp_path / "demo" / KEY / "leftover.txt").write_text("half")

    made = make(store)

    assert {path.name for path in made.path.iterdir()} - {verified.NOTE} == {MANIFEST, "part.txt"}


def test_failed_work_leaves_no_output(tmp_path: Path) -> None:
    """After an exception in the work there is no manifest, so find() returns None."""
    store = Store(tmp_path)

    def fail(draft: Draft) -> Account:
        write_two_rows(draft)
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        make(store, fail)

    assert store.find("demo", KEY) is None


def test_account_must_balance(tmp_path: Path) -> None:
    """read = written + left out, or make() raises."""

    def lose_one(draft: Draft) -> Account:
        return Account(unit="rows", read=3, written=2)

    with pytest.raises(AssertionError, match="does not balance"):
        make(Store(tmp_path), lose_one)


def test_same_content_has_the_same_digest(tmp_path: Path) -> None:
    """The digest is that of the content: another key with the same files recomputes no later stage."""
    store = Store(tmp_path)
    other = store.make("demo", digest_of("other inputs"), {}, write_two_rows, silent)

    assert other.digest == make(store).digest


def make_of_parts(store: Store) -> Dataset:
    parts = [store.make("demo", digest_of(text), {}, writes(text), silent) for text in ("one", "two")]

    def join(draft: Draft) -> Account:
        draft.parts = parts
        return joined(parts)

    return store.make("demo", KEY, {}, join, silent)


def writes(text: str):
    def work(draft: Draft) -> Account:
        draft.file("part.txt").write_text(text)
        return Account(unit="rows", read=3, written=1, left_out={"empty": 2})

    return work


def test_an_output_may_consist_of_others(tmp_path: Path) -> None:
    """Its files are those of its parts, in order; its account is their sum; its digest covers their content."""
    made = make_of_parts(Store(tmp_path))

    assert [file.read_text() for file in made.files(".txt")] == ["one", "two"]
    assert made.manifest.account == Account(unit="rows", read=6, written=2, left_out={"empty": 4})
    assert made.digest == digest_of([part.digest for part in made.parts])
    assert [part.parts for part in made.parts] == [[part] for part in made.parts]


def test_an_output_is_as_good_as_its_parts(tmp_path: Path) -> None:
    """If one of its parts is damaged, find() returns None."""
    store = Store(tmp_path)
    made = make_of_parts(store)
    made.files(".txt")[1].write_text("TWO")

    assert store.find("demo", KEY) is None
    assert make_of_parts(store) == made


def _slow_make(root: Path) -> None:
    def work(draft: Draft) -> Account:
        with (root / "computed").open("a") as log:
            log.write("once\n")
        time.sleep(0.5)
        return write_two_rows(draft)

    Store(root).make("demo", KEY, {}, work, silent)


def test_two_processes_compute_a_key_once(tmp_path: Path) -> None:
    """Two retrainings at once: one computes, the other waits and reuses."""
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_slow_make, args=(tmp_path,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()

    assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "computed").read_text() == "once\n"


@pytest.fixture
def small_disk(tmp_path: Path):
    """Mount a real file system of 1 MB; skip without the right to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_reported(small_disk: Path) -> None:
    """The error names the store, the free space and two ways out; nothing half-written is found later."""
    store = Store(small_disk)

    def too_much(draft: Draft) -> Account:
        draft.file("big").write_bytes(b"x" * 2_000_000)
        return Account(unit="rows", read=1, written=1)

    with pytest.raises(StoreError, match=r"the disk is full .*\n.*Free some space, or move the workspace"):
        make(store, too_much)

    assert store.find("demo", KEY) is None
    assert make(store).manifest.account.written == 2  # the space of the failed attempt is free again


def test_a_read_only_store_is_reported(small_disk: Path) -> None:
    """The error names the store and says what to do."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    with pytest.raises(
        StoreError, match=r"the store cannot be written \(Read-only file system.*\n.*another with --set"
    ):
        make(Store(small_disk / "store"))


def test_other_os_errors_are_left_alone(tmp_path: Path) -> None:
    """Any other OSError is raised unchanged."""

    def fail(draft: Draft) -> Account:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        make(Store(tmp_path), fail)


def test_store_may_move(tmp_path: Path) -> None:
    """A store that was copied elsewhere works like the original."""
    make(Store(tmp_path / "here"))
    shutil.copytree(tmp_path / "here", tmp_path / "there")

    assert Store(tmp_path / "there").find("demo", KEY) is not None


def test_what_is_noted_of_a_store_is_found_where_it_is_now(tmp_path: Path) -> None:
    """The last output, and a file named by its path, are found after a move; other paths stay as they are."""
    made = make(Store(tmp_path / "ws" / "store"))
    (tmp_path / "ws" / LATEST).write_text(made.model_dump_json())
    (tmp_path / "ws").rename(tmp_path / "moved")
    found, store = latest(tmp_path / "moved"), Store(tmp_path / "moved" / "store")

    assert found
    assert found.path == store.root / "demo" / KEY
    assert found.manifest.digest == made.digest
    assert store.own(made.path / "part.parquet") == found.path / "part.parquet"
    assert store.own(tmp_path / "vectors.parquet") == tmp_path / "vectors.parquet"
    assert latest(tmp_path) is None
