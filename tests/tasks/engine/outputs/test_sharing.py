"""A store that hosts share: what one has made another finds; nothing wrong is accepted, nothing finished is lost."""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.datasets.files import digest_of
from tasks.engine.leases import Uses
from tasks.engine.outputs import remote as remotes
from tasks.engine.outputs import sharing
from tasks.engine.outputs.remote import Remote, opened
from tasks.engine.store import MANIFEST, SHARED, Account, Dataset, Draft, Store, joined
from tasks.errors import DeterminismError, RemoteError, StoreError
from tests.support import object_store
from tests.support.object_store import BUCKET, SECRET, ObjectStore

KEY = digest_of("some inputs")


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    with object_store.running() as server:
        yield server


@pytest.fixture
def s3(
    server: ObjectStore, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, ObjectStore]]:
    """Return an address of this test, and the server; a failed request is not repeated for long."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(remotes.RETRIES, "max_retries", 2)
    yield f"s3://{BUCKET}/{digest_of(request.node.name)}", server
    server.fault = None


@pytest.fixture(params=["file", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty store on each kind of server."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3")[0])
    (tmp_path / "mnt").mkdir()
    return f"file://{tmp_path / 'mnt'}"


def silent(done: float, total: float, text: str) -> None: ...


def writes(*texts: str) -> Callable[[Draft], Account]:
    def work(draft: Draft) -> Account:
        for number, text in enumerate(texts):
            draft.file(f"part-{number}.txt").write_text(text)
        return Account(unit="rows", read=len(texts), written=len(texts))

    return work


def make(store: Store, *texts: str, key: str = KEY) -> Dataset:
    return store.make("demo", key, {"seed": 1}, writes(*(texts or ("one", "two"))), silent)


def two(tmp_path: Path, address: str) -> tuple[Store, Store]:
    """Return the stores of two machines."""
    return Store(tmp_path / "a" / "store", address), Store(tmp_path / "b" / "store", address)


def object_of(output: Dataset, name: str = "part-0.txt") -> str:
    file = next(each for each in output.manifest.files if each.name == name)
    return f"{sharing.folder(output.stage, output.key)}/{sharing.named(file)}"


def fail(draft: Draft) -> Account:
    raise AssertionError("computed again")


def test_another_machine_finds_what_was_made(tmp_path: Path, address: str) -> None:
    """It has the manifest at once, fetches the files when they are read, and computes nothing."""
    here, there = two(tmp_path, address)
    made = make(here)

    found = there.find("demo", KEY)
    assert found is not None
    assert (found.digest, found.manifest) == (made.digest, made.manifest)
    assert found.absent == 6
    assert not list(found.path.glob("*.txt"))

    assert [file.read_text() for file in found.files(".txt")] == ["one", "two"]
    assert found.absent == 0
    assert there.make("demo", KEY, {}, fail, silent) == found


def test_a_single_file_is_fetched(tmp_path: Path, address: str) -> None:
    """What is not read stays where it is; an empty file is fetched too."""
    here, there = two(tmp_path, address)
    make(here, "", "two")

    found = there.find("demo", KEY)
    assert found is not None
    assert found.file("part-0.txt").read_text() == ""
    assert [path.name for path in found.path.glob("*.txt")] == ["part-0.txt"]


def test_outputs_of_parts(tmp_path: Path, address: str) -> None:
    """An output whose parts were made before is found with them, and their files are fetched in order."""
    here, there = two(tmp_path, address)
    parts = [make(here, text, key=digest_of(text)) for text in ("one", "two")]

    def join(draft: Draft) -> Account:
        draft.parts = parts
        return joined(parts)

    here.make("demo", KEY, {}, join, silent)

    found = there.find("demo", KEY)
    assert found is not None
    assert [file.read_text() for file in found.files(".txt")] == ["one", "two"]


def test_an_upload_without_its_manifest_does_not_exist(tmp_path: Path, address: str) -> None:
    """What a killed upload left is not found; the next machine computes the output and completes it."""
    here, there = two(tmp_path, address)
    made = make(here)
    opened(address).delete([f"{sharing.folder('demo', KEY)}/{MANIFEST}"])

    assert there.find("demo", KEY) is None
    assert make(there).digest == made.digest
    assert sharing.find(opened(address), "demo", KEY) is not None


@pytest.mark.parametrize("content", [None, b"cut"])
def test_a_vanished_object_behind_a_manifest(tmp_path: Path, address: str, content: bytes | None) -> None:
    """An output of which an object is gone or short is computed again, and then shared again."""
    here, there = two(tmp_path, address)
    made = make(here, "one and a half", "two")
    opened(address).delete([object_of(made)])
    if content:
        opened(address).put(object_of(made), content)

    assert there.find("demo", KEY) is None
    make(there, "one and a half", "two")
    assert sharing.find(opened(address), "demo", KEY) is not None


def test_a_damaged_object_is_never_accepted(tmp_path: Path, address: str) -> None:
    """Other bytes of the same size are refused on arrival; the next command computes the output and mends the store."""
    here, there = two(tmp_path, address)
    made = make(here)
    opened(address).put(object_of(made), b"ONE")
    found = there.find("demo", KEY)
    assert found is not None

    with pytest.raises(StoreError, match=r"is damaged or was deleted\nexpected .*\nfound     other bytes"):
        found.files(".txt")

    assert not (found.path / "part-0.txt").exists()
    assert there.find("demo", KEY) is None
    make(there)
    assert sharing.verifies(opened(address), made.manifest)


def test_a_damaged_manifest_is_replaced(tmp_path: Path, address: str) -> None:
    """A manifest that was cut, as by a crash of a file server, is that of no output, and no obstacle."""
    here, there = two(tmp_path, address)
    made = make(here)
    opened(address).put(f"{sharing.folder('demo', KEY)}/{MANIFEST}", b'{"host": "a')

    assert there.find("demo", KEY) is None
    make(there)
    assert sharing.find(opened(address), "demo", KEY) == made.manifest


def test_two_results_for_one_key(tmp_path: Path, address: str) -> None:
    """The second result is refused, with both digests, each time that it would be used."""
    here, there = two(tmp_path, address)
    first = make(here, "one")
    other = Store(there.root).make("demo", KEY, {}, writes("1"), silent)

    both = f"(?s)expected  digest {first.digest}.*found     digest {other.digest}"
    for _ in range(2):
        with pytest.raises(DeterminismError, match=both):
            there.share(other)
    assert sharing.find(opened(address), "demo", KEY) == first.manifest


def test_many_machines_make_one_output_at_once(tmp_path: Path, address: str) -> None:
    """All of them succeed, and the store has one manifest and no other object."""
    stores = [Store(tmp_path / str(number), address) for number in range(6)]

    with ThreadPoolExecutor(len(stores)) as pool:
        digests = {made.digest for made in pool.map(make, stores)}

    assert len(digests) == 1
    assert len(opened(address).listed(sharing.folder("demo", KEY))) == 3


def test_what_was_made_before_is_shared_when_it_is_used(tmp_path: Path, address: str) -> None:
    """An output from a time without a remote is put there once a run looks it up."""
    here, there = two(tmp_path, address)
    old = make(Store(here.root))
    assert there.find("demo", KEY) is None

    here.share(old)

    assert there.find("demo", KEY) is not None


def test_leases_travel(tmp_path: Path, address: str) -> None:
    """A lease is visible to all hosts before the output is looked up, and is forgotten with its run."""
    uses = Uses(tmp_path / "a", address)
    uses.note("run", "demo", KEY)
    assert sharing.leases(opened(address)) == {"run": {f"demo/{KEY}"}}

    uses.forget("run")

    assert sharing.leases(opened(address)) == {}


def test_names_from_other_hosts_choose_no_place(tmp_path: Path, address: str) -> None:
    """A manifest whose file is named `../x` is that of no output."""
    here, there = two(tmp_path, address)
    made = make(here)
    values = json.loads(made.manifest.model_dump_json())
    values["files"][0]["name"] = "../x"
    opened(address).put(f"{sharing.folder('demo', KEY)}/{values['files'][0]['digest']}.../x", b"one")
    name = f"{sharing.folder('demo', KEY)}/{MANIFEST}"
    pushed = json.loads(opened(address).read(name) or b"") | {"manifest": json.dumps(values)}
    opened(address).put(name, json.dumps(pushed).encode())

    assert there.find("demo", KEY) is None


def test_without_the_remote_the_work_goes_on(
    tmp_path: Path, s3: tuple[str, ObjectStore], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the server fails, outputs are made here and one warning says so; they are shared when it answers again."""
    address, server = s3
    here, there = two(tmp_path, address)
    server.fault = object_store.failing

    with caplog.at_level(logging.WARNING, "w2v"):
        made, other = make(here), make(here, "three", key=digest_of("three"))

    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1
    assert "cannot be used" in warnings[0]
    assert "w2v sync" in warnings[0]
    assert not made.path.with_suffix(SHARED).exists()

    server.fault = None
    monkeypatch.setattr(remotes, "PAUSE", 0.0)
    for each in (made, other):
        here.share(each)
    assert there.find("demo", KEY) is not None


@pytest.mark.parametrize("fault", [object_store.failing, object_store.done_but_failing, object_store.cut])
def test_passing_faults_pass(tmp_path: Path, s3: tuple[str, ObjectStore], fault: object_store.Fault) -> None:
    """A 500 before or after the work was done, or a cut body, is no failure if the same request then succeeds."""
    address, server = s3
    here, there = two(tmp_path, address)
    server.fault = object_store.first(1, fault)

    made = make(here)
    found = there.find("demo", KEY)

    assert found is not None
    assert found.digest == made.digest
    assert [file.read_text() for file in found.files(".txt")] == ["one", "two"]


@pytest.mark.parametrize("fault", [object_store.cut, object_store.wrong])
def test_lasting_faults_are_told_and_nothing_wrong_is_kept(
    tmp_path: Path, s3: tuple[str, ObjectStore], fault: object_store.Fault
) -> None:
    """Bodies that are cut or changed each time end in an error, and leave no file."""
    address, server = s3
    here, there = two(tmp_path, address)
    make(here)
    found = there.find("demo", KEY)
    assert found is not None
    server.fault = fault

    with pytest.raises(StoreError):
        found.files(".txt")

    assert [path.name for path in found.path.iterdir()] == [MANIFEST]


def test_slow_answers_are_waited_for(tmp_path: Path, s3: tuple[str, ObjectStore]) -> None:
    """A server that takes its time is no error."""
    address, server = s3
    server.fault = object_store.slow
    here, there = two(tmp_path, address)
    make(here)

    found = there.find("demo", KEY)
    assert found is not None
    assert [file.read_text() for file in found.files(".txt")] == ["one", "two"]


def test_keys_are_nowhere(tmp_path: Path, s3: tuple[str, ObjectStore], caplog: pytest.LogCaptureFixture) -> None:
    """The secret is in no file, no object, no message and no log line."""
    address, server = s3
    here, _ = two(tmp_path, address)
    with caplog.at_level(logging.DEBUG):
        made = make(here)
        server.fault = object_store.failing
        with pytest.raises(RemoteError) as raised:
            opened(address).listed("outputs")

    texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    server.fault = None
    prefix = address.rpartition("/")[2]
    found = [server.client.get_object(Bucket=BUCKET, Key=f"{prefix}/{key}") for key in server.keys(prefix)]
    objects = [each["Body"].read().decode() for each in found]
    assert SECRET not in "".join([*texts, *objects, str(raised.value), made.model_dump_json(), caplog.text])


def test_a_refused_account_is_told_what_it_needs(
    tmp_path: Path, s3: tuple[str, ObjectStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variables that hold the keys, and which of them is not set."""
    address, server = s3

    def deny(app: object_store.Answer, environ: dict[str, object], start: Callable[..., object]) -> list[bytes]:
        start("403 Forbidden", [("Content-Length", "0")])
        return []

    server.fault = deny
    with pytest.raises(RemoteError, match=r"refuses this account(?s:.*)AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        Remote(address).read("store.json")
