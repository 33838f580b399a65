"""Training by replicas: the result depends on the plan of its rounds, never on who computes them."""

import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pytest
from pydantic import ValidationError

from configs.schema import Training
from tasks.datasets import contracts
from tasks.datasets.verified import NOTE
from tasks.engine.checkpoints import Checkpoints
from tasks.engine.store import CHECKPOINTS, Dataset
from tasks.errors import Paused, StoreError, TrainingError
from tasks.settings import settings_of
from tasks.training import replica, workers
from tasks.training.replica import Meeting, Shard, Source
from tasks.training.session import TrainingSession
from tasks.training.workers import Workers
from tasks.vectors import tables
from tests.support.replicas import SETTINGS, die, train
from w2v_core.factory import learner
from w2v_core.fast.pipelined import InFlight
from w2v_core.model import initial
from w2v_core.randomness import generator
from w2v_core.windows import Windows, pairs

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return what one process learns without being disturbed."""
    return train(tmp_path_factory.mktemp("whole"))


def test_workers_change_no_bit(tmp_path: Path, whole: Dataset) -> None:
    """Two processes give the bits of one, and leave nothing but the result."""
    made = train(tmp_path, runtime={"workers": 2, "training_threads": 1})

    assert made.digest == whole.digest
    assert made.manifest.facts["replication"]["workers"] == 2
    assert {path.name for path in made.path.iterdir()} - {NOTE} == {path.name for path in whole.path.iterdir()} - {NOTE}
    assert not workers_of(psutil.Process())


@pytest.mark.long
@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
def test_any_number_of_workers_changes_no_bit(tmp_path: Path, architecture: str) -> None:
    """Processes × 1, 2, 4 give the same bits."""
    digests = {
        train(tmp_path / str(number), runtime={"workers": number}, architecture=architecture).digest
        for number in (1, 2, 4)
    }

    assert len(digests) == 1


@pytest.mark.parametrize(
    "settings", [{"architecture": "cbow"}, {"objective": "hierarchical_softmax"}, {"replicas": 3}], ids=str
)
def test_every_way_on_blocks_learns(tmp_path: Path, settings: dict[str, Any]) -> None:
    """J(θ) on held-out windows falls, and the curve counts every window once."""
    made = train(tmp_path, epochs=6, learning_rate=0.05, **settings)
    curve = contracts.read(made.path / "curve.parquet", contracts.CURVE).to_pandas()
    judged = curve["held_out_loss"].dropna()

    assert len(judged) == 1 + 6
    assert judged.iloc[-1] < judged.iloc[0]
    assert curve["windows"].iloc[-1] == made.manifest.account.written
    assert curve["learning_rate"].iloc[1:].is_monotonic_decreasing


def test_replicas_meetings_and_solo_windows_are_in_the_key(tmp_path: Path, whole: Dataset) -> None:
    """Each changes the result, and so the key; with one replica the other two are nothing."""
    changed = [{"replicas": 2}, {"meetings": 11}, {"solo_windows": 400}]
    made = [train(tmp_path, **each) for each in changed]
    alone = [train(tmp_path, replicas=1), train(tmp_path, replicas=1, meetings=11, solo_windows=400)]

    assert len({each.key for each in [whole, *made]}) == 4
    assert len({each.digest for each in [whole, *made]}) == 4
    assert alone[0].key == alone[1].key
    assert "meetings" not in alone[0].manifest.inputs["config"]


@pytest.mark.parametrize("stop", [1, 4, 9])
def test_resumed_is_the_same_as_never_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Dataset, stop: int
) -> None:
    """A training stopped within any round or after it resumes at the last meeting, with the same bits and curve."""
    steps = TrainingSession._learn

    def interrupted(self: TrainingSession) -> Generator[bool, None, None]:
        for number, step in enumerate(steps(self), start=1):
            yield step
            if number == stop:
                self.save()
                raise ConnectionAbortedError

    monkeypatch.setattr(TrainingSession, "_learn", interrupted)
    with pytest.raises(ConnectionAbortedError):
        train(tmp_path)
    monkeypatch.undo()

    assert train(tmp_path).digest == whole.digest


def test_pauses_and_kept_epochs_work_as_with_one_model(tmp_path: Path, whole: Dataset) -> None:
    """A pause after an epoch keeps its state, whose vectors are the kept ones of that epoch; then it goes on."""
    with pytest.raises(Paused):
        train(tmp_path, pause_after=1)
    (folder,) = tmp_path.glob(f"store/training/*/{CHECKPOINTS}")
    saved = Checkpoints(folder.parent).latest()
    earlier = tables.read(whole, ["input"], epoch=1)

    assert saved is not None
    np.testing.assert_array_equal(tables.matrix(earlier["input"]), saved.theta[:, 0])
    assert train(tmp_path).digest == whole.digest


def test_warm_start_and_frozen_words(tmp_path: Path, whole: Dataset) -> None:
    """Replicas start from earlier vectors, and frozen words keep theirs through every meeting."""
    listed = tmp_path / "frozen.txt"
    listed.write_text("sea1\nsky3\n")
    made = train(tmp_path, warm_start=str(whole.path / "vectors.parquet"), frozen=str(listed))
    before, after = tables.load(whole), tables.load(made)
    same = (before.table == after.table).all(axis=1)

    assert {word for word, stayed in zip(after.words, same, strict=True) if stayed} == {"sea1", "sky3"}


def test_divergence_is_said_and_the_last_good_state_kept(tmp_path: Path) -> None:
    """Overflow in a replica stops the training with advice, whatever process it happens in."""
    with pytest.raises(TrainingError, match=r"training diverged in epoch(?s:.*)Lower training\.learning_rate"):
        train(tmp_path, learning_rate=1e30, min_learning_rate=1e-4, warmup=0.5, damping=1e30)


def workers_of(driver: psutil.Process) -> list[psutil.Process]:
    """Return the worker processes of the driver."""
    with suppress(psutil.Error):
        return [child for child in driver.children() if "tasks.engine.workers.child" in child.cmdline()]
    return []


class Killer(threading.Thread):
    """Kills a worker of this process at random instants, as often as told."""

    def __init__(self, kills: int) -> None:
        super().__init__()
        self._rng, self.left, self.over = np.random.default_rng(kills), kills, threading.Event()

    def run(self) -> None:
        while self.left and not self.over.wait(self._rng.uniform(0.05, 0.3)):
            if found := workers_of(psutil.Process()):
                with suppress(psutil.Error):
                    found[self._rng.integers(len(found))].kill()
                    self.left -= 1
                    self.over.wait(1.0)  # the same call must not be lost three times


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.long)])
def test_killed_workers_change_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Dataset, kills: int
) -> None:
    """Whatever a killed worker had to do is done again, wherever it was hit."""
    monkeypatch.setattr(workers, "TRIES", 1_000)  # on a busy machine, a worker may be hit each time while it starts
    meetings = SETTINGS["meetings"] if kills == 2 else 60 * kills
    expected = whole if kills == 2 else train(tmp_path / "whole", meetings=meetings)
    killer = Killer(kills)
    killer.start()
    made = train(tmp_path / "killed", runtime={"workers": 2}, meetings=meetings)
    killer.over.set()
    killer.join()

    assert made.digest == expected.digest
    assert killer.left == 0


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
def test_a_killed_driver_goes_on(tmp_path: Path, kills: int) -> None:
    """A training whose process is killed at any instant ends with the same bits when it is started again.

    Its workers end with it.
    """
    rng = np.random.default_rng(kills)
    command = [sys.executable, "-m", "tests.support.replicas", str(tmp_path / "killed"), "2", "200"]
    for _ in range(kills):
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        before = set(tmp_path.glob("killed/store/training/*/tables-*"))
        while process.poll() is None and set(tmp_path.glob("killed/store/training/*/tables-*")) <= before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 2))
        orphans = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(orphans, timeout=30)
        assert not alive
    made = train(tmp_path / "killed", meetings=200)

    assert made.digest == train(tmp_path / "whole", meetings=200).digest
    assert not list(made.path.glob("*tables*"))


def test_a_call_lost_three_times_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes its worker with it each time ends the stage, and the message names it and the next step."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # where a worker finds the call
    with (
        Workers(2) as workers,
        pytest.raises(TrainingError, match=r"^round [78] was lost(?s:.*)exit code 1(?s:.*)fewer runtime\.workers"),
    ):
        for _ in workers.results(die, ["a", "b"], ["round 7", "round 8"]):
            pass


def test_other_code_is_refused(tmp_path: Path) -> None:
    """A worker with other code or kernels than the driver's computes nothing, and the error names both."""
    other = Source(code="0123", kernels={"blas": ["other"], "simd": []})
    call = Meeting(source=other, tables=tmp_path, start="a", ends=["b"], combined="c", first=0, last=1)

    with pytest.raises(StoreError, match=r"expected  code 0123, other; NumPy baseline\nfound     code [0-9a-f]{32}"):
        replica.meet(call.model_dump_json())


def test_slices_lose_no_context(tmp_path: Path) -> None:
    """The pairs of all slices are those of the files: rows around a slice are its context, but no windows.

    Documents end with their file, even if the next file begins with the same number.
    """
    rng = np.random.default_rng(0)
    shards: list[Shard] = []
    expected = 0
    for number, size in enumerate([40, 3, 2, 30]):
        text = Windows(
            np.repeat(np.arange(2, dtype=np.int32), [size - 2, 2]),
            rng.integers(9, size=size, dtype=np.int32),
            rng.integers(1, 5, size=size, dtype=np.uint8, endpoint=True),
        )
        expected += len(pairs(text)[0])
        before = shards[-1].last if shards else 0
        shards.append(Shard(file=tmp_path / f"{number}.parquet", first=before, last=before + size))
        contracts.write(shards[-1].file, contracts.WINDOWS, pa.table(vars(text)))

    def seen(rows: range) -> int:
        near = [each for each in shards if each.first < rows.stop + 5 and each.last > rows.start - 5]
        return len(pairs(replica.windows_of(near, rows, 5))[0])

    for parts in (1, 2, 7, 75):
        assert sum(seen(range(75 * part // parts, 75 * (part + 1) // parts)) for part in range(parts)) == expected


@pytest.mark.parametrize("objective", ["negative_sampling", "softmax", "hierarchical_softmax"])
@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
@pytest.mark.parametrize("batch_size", [1, 64, "full"])
@pytest.mark.parametrize("shared_negatives", [0, 8])
def test_replicas_are_refused_where_there_are_no_blocks(
    objective: str, architecture: str, batch_size: int | str, shared_negatives: int
) -> None:
    """The schema allows replicas exactly where the core has a learner on blocks."""
    values: dict[str, Any] = {
        "objective": objective, "architecture": architecture, "batch_size": batch_size,
        "shared_negatives": shared_negatives, "vector_size": 4,
    }  # fmt: skip
    counts = np.arange(9, 1, -1)
    model = initial(len(counts), 4, rng=generator(1, "test"))
    teacher = learner(settings_of(Training(**values), 2, 1), model, counts, lambda epoch: 1)

    if isinstance(teacher, InFlight):
        assert Training(**values, replicas=2).replicas == 2
    else:
        with pytest.raises(ValidationError, match="expected  replicas = 1, or a training on blocks"):
            Training(**values, replicas=2)
