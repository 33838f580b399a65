"""A Dask cluster as the engine: the same bits, a worker that dies, and a scheduler that is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.loading import ConfigError
from configs.schema import Runtime, Vocabulary
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.engine.workers import choice, engines
from tasks.errors import EngineError, InputError
from tests.support.paths import PROJECT
from tests.support.servers import free_port
from tests.support.stages import demo

pytest.importorskip("distributed")
NUMBERS = list(range(9))
DASK = (sys.executable, "-m", "distributed.cli.")


def squares(folder: Path, numbers: list[int] = NUMBERS, **settings: object) -> Dataset:
    folder.mkdir(exist_ok=True)
    context = Context(runtime=Runtime(workspace=str(folder), **settings))
    return demo.compute(context=context, numbers=numbers, config=Vocabulary())


class Cluster:
    """A scheduler and workers, started by hand as the how-to says."""

    def __init__(self, folder: Path) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._folder = folder
        self.processes = [self._start("dask_scheduler", "--no-dashboard", *self._at())]
        for _ in range(2):
            self.add_worker()

    def add_worker(self, **environment: str) -> None:
        words = (self.address, "--host", "127.0.0.1", "--no-nanny", "--no-dashboard", "--nthreads", "1")
        self.processes.append(self._start("dask_worker", *words, **environment))

    def _at(self) -> tuple[str, ...]:
        return "--host", "127.0.0.1", "--port", self.address.rpartition(":")[2]

    def _start(self, program: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [*DASK[:2], DASK[2] + program, *words]
        variables = os.environ | {"PYTHONPATH": str(PROJECT)} | environment
        return subprocess.Popen(command, cwd=self._folder, env=variables, stderr=subprocess.DEVNULL)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Of two workers, one of which kills itself when it is asked for a certain number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PROJECT))
        made = Cluster(tmp_path_factory.mktemp("cluster"))
        yield made
        engines.end_idle()
        made.end()


def test_a_running_cluster_makes_the_same_bits(cluster: Cluster, tmp_path: Path) -> None:
    """As threads do; only the scheduler's address is given."""
    made = squares(tmp_path / "dask", engine="dask", engine_address=cluster.address)

    assert made.digest == squares(tmp_path / "threads", engine="threads").digest


def test_a_refusal_comes_back_in_its_words(cluster: Cluster, tmp_path: Path) -> None:
    """A worker's InputError is the command's."""
    cluster.add_worker(DEMO_REFUSES="8")
    for process in cluster.processes[1:3]:
        process.kill()
        process.wait()

    with pytest.raises(InputError, match=r"^this number\nexpected  another$"):
        squares(tmp_path, engine="dask", engine_address=cluster.address)


def test_a_worker_that_dies_is_replaced(cluster: Cluster, tmp_path: Path) -> None:
    """Its calls run on another, which comes later."""
    cluster.processes[3].kill()
    cluster.processes[3].wait()
    cluster.add_worker(DEMO_DIES_ONCE="5")
    cluster.add_worker(DEMO_DIES_ONCE="5")
    made = squares(tmp_path / "dask", engine="dask", engine_address=cluster.address)

    assert (tmp_path / "dask" / "died").exists()
    assert made.digest == squares(tmp_path / "threads", engine="threads").digest


def test_a_lost_scheduler_is_an_error_within_a_minute(cluster: Cluster, tmp_path: Path) -> None:
    """The error names its address; the same command goes on with what is done."""
    cluster.add_worker(DEMO_SLEEPS="7")
    threading.Timer(8, cluster.processes[0].send_signal, [signal.SIGKILL]).start()
    started = time.monotonic()

    with pytest.raises(EngineError, match=rf"the Dask scheduler at {cluster.address} is lost\n"):
        squares(tmp_path, list(range(100)), engine="dask", engine_address=cluster.address)
    assert time.monotonic() - started < 8 + 60


def test_a_cluster_of_this_machine_is_started_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address; the bits are the same for two workers."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    made = squares(tmp_path / "dask", engine="dask", workers=2)
    engines.end_idle()

    assert made.digest == squares(tmp_path / "threads", engine="threads").digest


def test_a_scheduler_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens at the address."""
    pytest.importorskip("distributed")
    from tasks.engine.workers import dask_cluster

    monkeypatch.setattr(dask_cluster, "CONNECTING", 1.0)
    address = f"tcp://127.0.0.1:{free_port()}"

    with pytest.raises(EngineError, match=rf"the Dask scheduler at {address} is lost\nexpected(?s:.*)Start it again"):
        squares(tmp_path, engine="dask", engine_address=address)


def test_another_host_needs_a_shared_store() -> None:
    """A scheduler elsewhere is refused before anything starts; one of this host is not."""
    choice.check(Runtime(engine="dask", engine_address="tcp://127.0.0.1:8786"))

    with pytest.raises(ConfigError, match=r"engine_address = 'tcp://192\.0\.2\.77:8786'\nexpected  runtime\.remote"):
        choice.check(Runtime(engine="dask", engine_address="tcp://192.0.2.77:8786"))
