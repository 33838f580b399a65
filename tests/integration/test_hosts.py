"""Hosts that share a remote store and nothing else: a Dask scheduler, two workers with disks of their own, a command.

The hosts are processes of this machine, each with a name, a workspace and a way to the S3 server.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.loading import check
from configs.schema import Config
from flows.planning.pipeline import Corpus, learn, prepare
from tasks.engine.stage import Context, Stage
from tasks.engine.store import Dataset
from tasks.engine.workers import engines
from tasks.ingestion import sources
from tests.support import object_store
from tests.support.object_store import BUCKET, ObjectStore
from tests.support.paths import PROJECT
from tests.support.servers import free_port

pytest.importorskip("distributed")
pytest.importorskip("obstore")
FILES = 6
NAMED = """
import os, socket
if name := os.environ.get("NAME_OF_THIS_HOST"):
    socket.gethostname = lambda: name
"""


class Prepared(Exception):
    """All that comes before the training is there."""


class Host:
    """A host with a worker: its name, and its workspace, which nobody else sees."""

    def __init__(self, name: str, folder: Path, scheduler: str) -> None:
        self.workspace = folder / name
        self.workspace.mkdir()
        own = {"NAME_OF_THIS_HOST": name, "W2V_WORKSPACE": str(self.workspace)}
        own["PYTHONPATH"] = os.pathsep.join([str(folder), str(PROJECT)])
        self._process = dask("worker", scheduler, "--no-nanny", "--nthreads", "1", folder=folder, **own)

    @property
    def made(self) -> set[Path]:
        """The places in the store of outputs whose files are here."""
        files = self.workspace.glob("store/*/*/*.parquet")
        return {file.parent.relative_to(self.workspace) for file in files}

    def burn(self) -> None:
        """Lose the host with all that is on its disk."""
        self.stop()
        shutil.rmtree(self.workspace)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def dask(program: str, *words: str, folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *words, "--host", "127.0.0.1", "--no-dashboard"]
    return subprocess.Popen(command, cwd=folder, env=os.environ | environment, stderr=subprocess.DEVNULL)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    with object_store.running() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        yield store


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler, on a host that needs no store."""
    (tmp_path / "sitecustomize.py").write_text(NAMED)
    port = free_port()
    process = dask("scheduler", "--port", str(port), folder=tmp_path)
    yield f"tcp://127.0.0.1:{port}"
    engines.end_idle()
    process.kill()
    process.wait()


@pytest.fixture
def hosts(scheduler: str, store: ObjectStore, tmp_path: Path) -> Iterator[list[Host]]:
    found = [Host(name, tmp_path, scheduler) for name in ("one", "two")]
    yield found
    for host in found:
        host.stop()


@pytest.fixture
def text(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of six files, each of which is a part."""
    monkeypatch.setattr(sources, "BATCH", 1)
    lines = corpus.read_text().splitlines(keepends=True)
    (tmp_path / "text").mkdir()
    for number in range(FILES):
        (tmp_path / "text" / f"{number}.txt").write_text("".join(lines[number::FILES]))
    return str(tmp_path / "text")


def configured(text: str, workspace: Path, **runtime: str) -> Config:
    sections = {
        "ingestion": {"source": text, "text_documents": "line"},
        "vocabulary": {"min_count": 1, "subsample": 0.0},
        "training": {"epochs": 2},
        "runtime": {"workspace": str(workspace), **runtime},
    }
    return check(sections, "test")


def prepared(config: Config) -> Corpus:
    return prepare(
        config, lambda stage, **arguments: stage.compute(context=Context(runtime=config.runtime), **arguments)
    )


def drawn(config: Config, corpus: Corpus) -> list[Dataset]:
    """Return the held-out windows and those of each epoch."""
    found: list[Dataset] = []

    def compute(stage: Stage, **arguments: object) -> Dataset:
        if stage.name == "training":
            raise Prepared
        found.append(stage.compute(context=Context(runtime=config.runtime), **arguments))
        return found[-1]

    with pytest.raises(Prepared):
        learn(config, corpus, compute)
    return found


def test_hosts_that_share_a_remote_make_the_same_bits(
    hosts: list[Host], scheduler: str, store: ObjectStore, text: str, tmp_path: Path
) -> None:
    """As threads do. Each makes a share, and one goes on when the other has burnt down with all that it had made."""
    remote = f"s3://{BUCKET}/shared"
    config = configured(text, tmp_path / "command", engine="dask", engine_address=scheduler, remote=remote)
    alone = configured(text, tmp_path / "alone", engine="threads")

    corpus = prepared(config)
    shares = [len(host.made) for host in hosts]
    hosts[0].burn()
    windows = drawn(config, corpus)
    expected = prepared(alone)

    assert min(shares) >= 3
    assert [each.digest for each in corpus if each] == [each.digest for each in expected if each]
    assert [each.digest for each in windows] == [each.digest for each in drawn(alone, expected)]
