"""Objects on a real S3 server are sources: fetched once, verified, and recognised by what S3 reports."""

import gzip
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from configs.loading import load
from configs.schema import Ingestion
from flows.backfill import partitions
from tasks.datasets import contracts
from tasks.engine.retries import _unanswered
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.errors import InputError
from tasks.ingestion import downloads, estimate, s3
from tasks.ingestion.estimate import sample
from tasks.ingestion.sources import sources
from tasks.ingestion.stage import ingestion
from tasks.readers import archives
from tests.support import servers
from tests.support.misnamed import MISNAMED, RIGHT, TEXT

TEXTS = {"b.txt": b"more words", "a.txt": b"some words", "part/c.txt.gz": gzip.compress(b"packed words")}


class Bucket:
    """A bucket of this module's server, and the requests it received."""

    def __init__(self, client: Any, log: Path) -> None:
        self._client, self._log, self._seen = client, log, 0

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=servers.BUCKET, Key=key, Body=content)

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=servers.BUCKET, Key=key)

    def fetched(self) -> list[str]:
        """The objects whose bytes were asked for since this was called last."""
        lines = [
            line.split('"')[1] for line in self._log.read_text().splitlines() if f'"GET /{servers.BUCKET}/' in line
        ]
        new, self._seen = lines[self._seen :], len(lines)
        paths = [line.split()[1].removeprefix(f"/{servers.BUCKET}/") for line in new]
        return [path for path in paths if path and not path.startswith("?")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bucket, dict[str, str]]]:
    import boto3

    folder = tmp_path_factory.mktemp("s3")
    with servers.s3(folder) as keys:
        endpoint = keys.pop("MLFLOW_S3_ENDPOINT_URL")
        secrets = {name.lower(): keys[name] for name in s3.KEYS}
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **secrets)
        yield Bucket(client, folder / "s3.log"), keys | {"AWS_ENDPOINT_URL": endpoint}
        client.close()


@pytest.fixture
def bucket(server: tuple[Bucket, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Return the bucket, with the environment of an account that may read it, and no requests yet."""
    found, environment = server
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3._client.cache_clear()
    found.fetched()
    yield found
    s3._client.cache_clear()


@pytest.fixture
def prefix(bucket: Bucket, request: pytest.FixtureRequest) -> str:
    """Return a prefix for this test, with TEXTS and a file that is not text."""
    name = request.node.name.partition("[")[0]
    for key, content in {**TEXTS, "x.png": b"no text", ".hidden": b"nor this"}.items():
        bucket.put(f"{name}/{key}", content)
    return name


def at(prefix: str) -> Ingestion:
    return Ingestion(source=f"s3://{servers.BUCKET}/{prefix}")


def texts(documents: Dataset) -> list[str]:
    tables = [contracts.read(file, contracts.DOCUMENTS) for file in documents.files()]
    return [text for table in tables for text in table["text"].to_pylist()]


def test_a_prefix_is_read_like_a_folder(prefix: str, context: Context, tmp_path: Path) -> None:
    """A prefix gives the same documents, in the same order, with the same names as a folder."""
    for name, content in TEXTS.items():
        (tmp_path / "corpus" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "corpus" / name).write_bytes(content)

    documents = ingestion.compute(context=context, config=at(prefix))

    assert [source.name for source in sources(at(prefix))] == ["a.txt", "b.txt", "part/c.txt.gz"]
    assert texts(documents) == ["some words", "more words", "packed words"]
    assert (
        documents.digest == ingestion.compute(context=context, config=Ingestion(source=str(tmp_path / "corpus"))).digest
    )


@pytest.mark.parametrize("name", MISNAMED)
def test_an_object_under_a_wrong_name_is_refused(bucket: Bucket, context: Context, name: str) -> None:
    """By what it is: by `plan`, of its beginning, and by the ingestion; named outright and below a prefix."""
    content, what = MISNAMED[name]
    bucket.put(f"misnamed/{name}/{name}", content)

    for config in (at(f"misnamed/{name}/{name}"), at(f"misnamed/{name}")):
        with pytest.raises(InputError, match=rf"^{name} is {what}\nexpected  .*\nfound     {what}\n."):
            sample(config, Path(context.runtime.workspace))
        with pytest.raises(InputError, match=rf"^{name} is {what}\n"):
            ingestion.compute(context=context, config=config)


def test_objects_under_their_own_names_are_read(bucket: Bucket, context: Context) -> None:
    """Text, compressed, in columns, in an archive."""
    for name, content in RIGHT.items():
        bucket.put(f"right/{name}", content)
    config = at("right").model_copy(update={"duplicates": "keep"})

    assert texts(ingestion.compute(context=context, config=config)) == [TEXT.decode()] * len(RIGHT)


def test_only_what_is_new_is_fetched(bucket: Bucket, prefix: str, context: Context) -> None:
    """After one object was added, one changed and one removed, only the new content is fetched."""
    ingestion.compute(context=context, config=at(prefix))
    first = bucket.fetched()
    ingestion.compute(context=context, config=at(prefix))
    again = bucket.fetched()
    bucket.put(f"{prefix}/new.txt", b"new words")
    bucket.put(f"{prefix}/b.txt", b"words that have changed")
    bucket.remove(f"{prefix}/a.txt")
    after = ingestion.compute(context=context, config=at(prefix))

    assert sorted(first) == [f"{prefix}/{name}" for name in sorted(TEXTS)]
    assert again == []
    assert bucket.fetched() == [f"{prefix}/b.txt", f"{prefix}/new.txt"]
    assert texts(after) == ["words that have changed", "new words", "packed words"]


def test_a_damaged_copy_is_fetched_again(bucket: Bucket, prefix: str, context: Context) -> None:
    """A copy in the workspace is used only if it is what was downloaded."""
    ingestion.compute(context=context, config=at(prefix))
    [source] = [source for source in sources(at(prefix)) if source.name == "a.txt"]
    copy = Path(context.runtime.workspace) / source.path
    copy.write_bytes(b"some wordz")
    bucket.fetched()

    documents = ingestion.compute(context=context, config=at(prefix).model_copy(update={"document_length": 500}))

    assert bucket.fetched() == [f"{prefix}/a.txt"]
    assert texts(documents)[0] == "some words"


def test_an_interrupted_download_is_never_used(
    bucket: Bucket, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partial object stays separate; the next attempt starts from the beginning."""
    [source] = sources(at(f"{prefix}/a.txt"))
    arguments = (source.url, source.digest, source.size, tmp_path / "object")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        downloads.fetch_object(*arguments, interrupt)

    assert not (tmp_path / "object").exists()
    downloads.fetch_object(*arguments, lambda *_: None)
    assert (tmp_path / "object").read_bytes() == b"some words"


def test_an_object_that_changes_while_being_fetched_is_refused(bucket: Bucket, prefix: str, tmp_path: Path) -> None:
    """An object that changes after it was listed is refused."""
    [source] = sources(at(f"{prefix}/a.txt"))
    time.sleep(1)  # S3 reports times in seconds
    bucket.put(f"{prefix}/a.txt", b"fine words")

    with pytest.raises(InputError, match=r"/a\.txt changed while being fetched\nexpected "):
        downloads.fetch_object(source.url, source.digest, source.size, tmp_path / "object", lambda *_: None)

    assert not (tmp_path / "object").exists()


def test_a_plan_reads_the_beginning_and_keeps_nothing(
    bucket: Bucket, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan estimates from one request per object and stores nothing."""
    monkeypatch.setattr(estimate, "ENOUGH", 100_000)
    for number in range(4):
        lines = (f"line {line} of object {number}\n" for line in range(50_000))
        bucket.put(f"{prefix}/large/{number}.txt", "".join(lines).encode())
    large = at(f"{prefix}/large").model_copy(update={"text_documents": "line"})

    corpus = sample(large, tmp_path)

    assert corpus is not None
    assert corpus.documents == pytest.approx(200_000, rel=0.3)
    assert bucket.fetched() == [f"{prefix}/large/{number}.txt" for number in range(4)]
    assert not list(tmp_path.iterdir())


def test_a_backfill_knows_partitions_on_s3(bucket: Bucket, prefix: str) -> None:
    """A day without objects is missing."""
    for day in (1, 3):
        bucket.put(f"{prefix}/2026-01-0{day}/a.txt", b"x")
    config = load(None, [f"ingestion.source=s3://{servers.BUCKET}/{prefix}/%Y-%m-%d"])

    found = partitions(config, date(2026, 1, 1), date(2026, 1, 3), skip_missing=True)

    assert [each.day for each in found] == ["2026-01-01", "2026-01-03"]


@pytest.mark.parametrize("key", ["../secret.txt", "a//b.txt", "part/../../secret.txt", ".."])
def test_names_that_climb_are_refused(bucket: Bucket, prefix: str, key: str) -> None:
    """An object name that leads out of the prefix is refused."""
    bucket.put(f"{prefix}/{key}", b"x")

    with pytest.raises(InputError, match=r"its object '.*' has a name that is not a path\nexpected "):
        sources(at(prefix))

    bucket.remove(f"{prefix}/{key}")


def test_a_bomb_is_refused(bucket: Bucket, prefix: str, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decompression bomb is refused as in a folder."""
    monkeypatch.setattr(archives, "HARMLESS", 10_000)
    bucket.put(f"{prefix}/bomb.txt.gz", gzip.compress(b"boom " * 20_000))

    with pytest.raises(InputError, match=r"bomb\.txt\.gz unpacks to far more than its size"):
        ingestion.compute(context=context, config=at(prefix))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("s3://gone", "s3://gone cannot be read: NO_SUCH_BUCKET .* does not exist\nName an existing bucket"),
        ("s3://vectors/patr", r"s3://vectors/patr: no such object or prefix\nexpected .*\nIn s3://vectors, "),
        ("s3://", "s3://: this is not an S3 address\nexpected  s3://BUCKET"),
        ("s3://vectors/a/../b", "s3://vectors/a/../b: this is not an S3 address"),
        ("s3://vectors?x=1", "this is not an S3 address"),
    ],
)
def test_what_is_not_there_is_named(bucket: Bucket, source: str, said: str) -> None:
    """The error names what was expected and the next step."""
    with pytest.raises(InputError, match=rf"^(.*){said}"):
        sources(Ingestion(source=source))


def test_no_text_names_what_there_is(bucket: Bucket, prefix: str) -> None:
    """A prefix without text raises the same error as a folder."""
    bucket.put(f"{prefix}/pdf/a.pdf", b"x")

    with pytest.raises(InputError, match=r"/pdf: no file here is known as text\nexpected .*\nfound     \.pdf\n"):
        sources(at(f"{prefix}/pdf"))


def test_no_keys_are_named(bucket: Bucket, prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the missing variable, and the value of none."""
    [source] = sources(at(f"{prefix}/a.txt"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3._client.cache_clear()

    with pytest.raises(
        InputError, match=r"cannot be read: ACCESS_DENIED .*\nKeys .*, where AWS_ACCESS_KEY_ID is not set"
    ) as error:
        downloads.fetch_object(source.url, source.digest, source.size, tmp_path / "object", lambda *_: None)

    assert servers.SECRET not in str(error.value)


def test_a_server_that_is_away_may_come_back(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that the server cannot be reached, and a worker retries."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{servers.free_port()}")
    s3._client.cache_clear()

    with pytest.raises(InputError, match=r"cannot be read: NETWORK_CONNECTION .*\nRun the command again when") as error:
        sources(at("corpus"))

    assert error.value.__cause__ is not None
    assert _unanswered(error.value.__cause__)
