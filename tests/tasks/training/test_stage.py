"""vocabulary, windows → vectors."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.schema import Runtime, Training
from tasks.datasets import contracts
from tasks.engine import progress
from tasks.engine.checkpoints import Checkpoint, Checkpoints
from tasks.engine.stage import Context
from tasks.engine.store import CHECKPOINTS, MANIFEST, Dataset
from tasks.errors import InputError, Paused, StoreError, TrainingError
from tasks.training import session
from tasks.training import stage as module
from tasks.training.initialization import start_digests
from tasks.training.session import TrainingSession
from tasks.vectors import tables
from tests.support.topics import train
from w2v_core import batches
from w2v_core.fast import adding, pipelined


def workspace(tmp_path: Path, name: str, **runtime: Any) -> Context:
    return Context(runtime=Runtime(workspace=str(tmp_path / name), **runtime))


@pytest.fixture(autouse=True)
def short_rounds() -> Iterator[None]:
    """Make rounds of the fast path short enough for this small corpus."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipelined, "ROUND", 2)
        yield


@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
@pytest.mark.parametrize(
    ("objective", "batch_size", "learning_rate"),
    [
        ("negative_sampling", 64, 0.05),
        ("negative_sampling", 1, 0.05),
        ("softmax", 32, 0.05),
        ("softmax", "full", 2.0),
        ("hierarchical_softmax", 32, 0.05),
    ],
)
def test_every_combination_learns(
    context: Context, architecture: str, objective: str, batch_size: int | str, learning_rate: float
) -> None:
    """J(θ) on held-out windows falls from start to end for every way of training."""
    made = train(
        context, architecture=architecture, objective=objective, batch_size=batch_size, learning_rate=learning_rate,
        epochs=6,
    )  # fmt: skip
    curve = contracts.read(made.path / "curve.parquet", contracts.CURVE).to_pandas()
    judged = curve["held_out_loss"].dropna()

    assert judged.iloc[-1] < judged.iloc[0]
    assert curve["loss"].dropna().iloc[-1] < curve["loss"].dropna().iloc[0]


def test_words_that_share_contexts_end_nearer(context: Context) -> None:
    """Words of one topic are more alike than words of two."""
    vectors = tables.load(train(context, epochs=20, batch_size=16, damping=10))
    unit = vectors.table / np.linalg.norm(vectors.table, axis=1, keepdims=True)
    topic = np.array([word[:3] for word in vectors.words])
    alike = (unit @ unit.T)[~np.eye(len(topic), dtype=bool)]
    same = (topic[:, None] == topic)[~np.eye(len(topic), dtype=bool)]

    assert alike[same].mean() > alike[~same].mean() + 0.3


def test_threads_and_intervals_change_no_bit(tmp_path: Path) -> None:
    """No setting of [runtime] changes the files."""
    digests = {
        train(workspace(tmp_path, name, **runtime)).digest
        for name, runtime in {
            "one": {"threads": 1, "training_threads": 1},
            "eight": {"threads": 8, "training_threads": 8, "checkpoint_interval": 0.001, "log_interval": 0.001},
        }.items()
    }

    assert len(digests) == 1


def interrupted_training(context: Context) -> Path:
    """Return the checkpoints of a training that was stopped after four updates."""
    updates = TrainingSession._learn

    def interrupted(self: TrainingSession):
        for number, update in enumerate(updates(self), start=1):
            yield update
            if number == 4:
                self.save()
                raise ConnectionAbortedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingSession, "_learn", interrupted)
        with pytest.raises(ConnectionAbortedError):
            train(context)
    (folder,) = context.store.root.glob(f"training/*/{CHECKPOINTS}")
    return folder


@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
@pytest.mark.parametrize("shared_negatives", [0, 8])
@pytest.mark.parametrize("stop", [1, 4, 5, 13])  # in a shard, at a shard's end, after it, in another epoch
def test_resumed_is_the_same_as_never_stopped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    architecture: str,
    shared_negatives: int,
    stop: int,
) -> None:
    """A training stopped after any update resumes, with a message, and ends with the same bits and curve.

    So do the kept vectors of earlier epochs.
    """
    caplog.set_level("INFO", "w2v")
    settings = {"architecture": architecture, "shared_negatives": shared_negatives, "batch_size": 128, "keep_epochs": 3}
    whole = train(workspace(tmp_path, "whole"), **settings)
    updates = TrainingSession._learn

    def interrupted(self: TrainingSession):
        for number, update in enumerate(updates(self), start=1):
            yield update
            if number == stop:
                self.save()
                raise ConnectionAbortedError

    monkeypatch.setattr(TrainingSession, "_learn", interrupted)
    with pytest.raises(ConnectionAbortedError):
        train(workspace(tmp_path, "stopped"), **settings)
    monkeypatch.undo()

    assert train(workspace(tmp_path, "stopped"), **settings).digest == whole.digest
    assert re.search(r"training +goes on from epoch \d\.\d\d, \d+%", caplog.text)
    assert caplog.text.count("goes on") == 1


def test_speed_is_told_once_it_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The speed is reported only after the first moments, which say little."""
    told: list[str] = []
    monkeypatch.setattr(progress.Report, "__call__", lambda self, done, total, text="": told.append(text))
    monkeypatch.setattr(session, "TELLING_SECONDS", 1e9)
    train(workspace(tmp_path, "quick"))
    assert not [text for text in told if "words/s" in text]
    monkeypatch.setattr(session, "TELLING_SECONDS", 0.0)
    train(workspace(tmp_path, "slow"))

    assert re.search(r"epoch \d\.\d\d, loss \d\.\d+, [\d,]+ words/s, \d+ s left", told[-1])


def test_earlier_epochs_are_kept(tmp_path: Path) -> None:
    """Kept vectors are those of a training paused after that epoch; the final ones are unaffected."""
    alone = train(workspace(tmp_path, "alone"))
    made = train(workspace(tmp_path, "kept"), keep_epochs=2)
    paused = workspace(tmp_path, "paused").model_copy(update={"pause_after": 2})
    with pytest.raises(Paused):
        train(paused)
    (folder,) = paused.store.root.glob(f"training/*/{CHECKPOINTS}")
    saved = Checkpoints(folder.parent).latest()
    earlier = tables.read(made, ["word", "input", "output"], epoch=2)

    assert tables.kept(alone) == []
    assert tables.kept(made) == [2]
    assert (made.path / "vectors.parquet").read_bytes() == (alone.path / "vectors.parquet").read_bytes()
    assert saved is not None
    assert earlier["word"].to_pylist() == tables.load(made).words
    for column, name in enumerate(("input", "output")):
        np.testing.assert_array_equal(tables.matrix(earlier[name]), saved.theta[:, column])


def test_more_epochs_than_there_are_keep_all(context: Context) -> None:
    """If more epochs are to be kept than there are, all are."""
    assert tables.kept(train(context, keep_epochs=9)) == [1, 2]


def test_kept_vectors_that_are_gone_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If kept vectors were deleted, later checkpoints are not used and the epoch is trained again."""
    whole = train(workspace(tmp_path, "whole"), keep_epochs=2, epochs=2)
    updates = TrainingSession._learn

    def interrupted(self: TrainingSession):
        for update in updates(self):
            yield update
            if list(self.checkpoints.folder.glob("*.parquet")):
                self.save()
                raise ConnectionAbortedError

    monkeypatch.setattr(TrainingSession, "_learn", interrupted)
    context = workspace(tmp_path, "stopped")
    with pytest.raises(ConnectionAbortedError):
        train(context, keep_epochs=2, epochs=2)
    monkeypatch.undo()
    (kept,) = context.store.root.glob(f"training/*/{CHECKPOINTS}/*.parquet")
    kept.unlink()

    assert train(context, keep_epochs=2, epochs=2).digest == whole.digest


def test_divergence_keeps_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overflow stops the run with advice and keeps the last good checkpoint."""
    monkeypatch.setattr(pipelined, "ROUND", 1)  # the first update is still a sane one
    context = workspace(tmp_path, "ws", checkpoint_interval=0.0001)

    with pytest.raises(
        TrainingError, match=r"training diverged in epoch(?s:.*)Lower training\.learning_rate(?s:.*)kept"
    ):
        train(context, learning_rate=1e30, min_learning_rate=1e-4, warmup=0.5, damping=1e30)

    (folder,) = (tmp_path / "ws" / "store" / "training").glob(f"*/{CHECKPOINTS}")
    saved = Checkpoints(folder.parent).latest()
    assert saved is not None
    assert np.isfinite(saved.theta).all()


def test_a_scipy_without_the_product_in_place_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Training works without SciPy's in-place product and warns once."""
    monkeypatch.setattr(module, "IN_PLACE", False)
    monkeypatch.setattr(adding, "coo_matmat_dense", None)
    module._tell_of_slowness.cache_clear()
    for name in ("one", "two"):
        train(workspace(tmp_path, name), epochs=1)

    assert caplog.text.count("this SciPy has no in-place product") == 1


def test_finished_training_leaves_no_checkpoint(tmp_path: Path) -> None:
    """Checkpoints are deleted when the vectors are complete."""
    made = train(workspace(tmp_path, "ws", checkpoint_interval=0.001))

    assert not (made.path / CHECKPOINTS).exists()


def test_half_written_checkpoint_is_passed_over(tmp_path: Path) -> None:
    """After a crash while writing a checkpoint, the one before it is used."""
    checkpoints = Checkpoints(tmp_path)
    for step in range(3):
        last = checkpoints.save(Checkpoint(np.full((2, 2, 2), step, np.float32), {"step": step}))
    (last / "theta.npy").write_bytes((last / "theta.npy").read_bytes()[:-1])

    saved = checkpoints.latest()

    assert saved is not None
    assert saved.state == {"step": 1}
    assert (saved.theta == 1).all()
    assert len(list(checkpoints.folder.iterdir())) == 1  # two were kept, and one of them was torn


def test_checkpoint_of_another_config_is_not_met(tmp_path: Path) -> None:
    """Another learning rate is another key: its training starts from the beginning, with its own checkpoint."""
    clean = train(workspace(tmp_path, "clean"), learning_rate=0.02)
    context = workspace(tmp_path, "ws")
    saved = interrupted_training(context)

    assert train(context, learning_rate=0.02).digest == clean.digest
    assert saved.exists()


def test_checkpoint_put_elsewhere_is_refused(tmp_path: Path) -> None:
    """A checkpoint moved to another config's folder is refused with both keys and the next step."""
    context = workspace(tmp_path, "ws")
    saved = interrupted_training(context)
    made = train(context, learning_rate=0.02)
    (made.path / MANIFEST).unlink()
    saved.rename(made.path / CHECKPOINTS)

    with pytest.raises(StoreError, match=f"expected  key {made.key}\nfound     key {saved.parent.name}"):
        train(context, learning_rate=0.02)


def test_warm_start_follows_the_words(tmp_path: Path) -> None:
    """A warm start begins with a lower loss and reports what it inherited."""
    first = train(workspace(tmp_path, "ws"), epochs=6)
    second = train(workspace(tmp_path, "ws"), warm_start=str(first.path / "vectors.parquet"))

    def at_start(made: Dataset) -> float:
        return float(contracts.read(made.path / "curve.parquet", contracts.CURVE)["held_out_loss"][0].as_py())

    assert at_start(second) < at_start(first)
    assert second.manifest.facts["warm_start"] == {"kept": 16, "new": 0, "dropped": 0}


def test_frozen_words_keep_their_vectors(tmp_path: Path) -> None:
    """Frozen words keep their vectors of the warm start; the others change."""
    first = train(workspace(tmp_path, "ws"))
    words = tmp_path / "frozen.txt"
    words.write_text("sea1\nsky3\nnowhere\n")
    second = train(workspace(tmp_path, "ws"), warm_start=str(first.path / "vectors.parquet"), frozen=str(words))
    before, after = tables.load(first), tables.load(second)
    same = (before.table == after.table).all(axis=1)

    assert {word for word, stayed in zip(after.words, same, strict=True) if stayed} == {"sea1", "sky3"}
    assert second.manifest.facts["frozen"] == 2


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"2 2\nthe 0.1 0.2\nof 0.3 0.4\n", "a file that is not Parquet"),
        (b"PAR1 cut", "a file that is not Parquet, or is damaged"),
        (None, "a folder"),
        ("words", "the columns word, count"),
    ],
)
def test_a_start_that_holds_no_vectors_is_refused(content: bytes | str | None, found: str, tmp_path: Path) -> None:
    """A file without vectors is refused before any work; the advice never is to delete it."""
    path = tmp_path / "x.vec"
    if content == "words":
        pq.write_table(pa.table({"word": ["a"], "count": [1]}), path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.mkdir()
    with pytest.raises(
        InputError, match=rf"cannot be the start of a training\nexpected  a vectors.parquet\nfound     {found}"
    ) as error:
        start_digests(Training(warm_start=str(path)))

    assert "elete" not in str(error.value)


def test_warm_start_of_another_size_is_refused(tmp_path: Path) -> None:
    """The error names both sizes and the next step."""
    first = train(workspace(tmp_path, "ws"))

    with pytest.raises(InputError, match=r"expected  training\.vector_size = 9\nfound     8 dimensions\nSet training"):
        train(workspace(tmp_path, "ws"), vector_size=9, warm_start=str(first.path / "vectors.parquet"))


def test_missing_start_is_named(context: Context) -> None:
    """A missing file of vectors or words stops the training before it begins."""
    with pytest.raises(InputError, match=r"nowhere\.parquet: cannot read these vectors \(No such file"):
        train(context, warm_start="nowhere.parquet")
    with pytest.raises(InputError, match=r"nowhere\.txt: cannot read this word list(?s:.*)training\.frozen"):
        train(context, frozen="nowhere.txt")


def test_gradient_descent_updates_once_an_epoch(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch of gradient descent is one update and one J(θ), in however many chunks it is summed."""
    monkeypatch.setattr(batches, "CHUNK", 50)
    made = train(context, objective="softmax", batch_size="full", learning_rate=2.0)
    curve = contracts.read(made.path / "curve.parquet", contracts.CURVE).to_pandas()

    assert curve["updates"].iloc[-1] == 3
    assert curve["held_out_loss"].notna().sum() == 1 + 3  # at the start, and after each epoch
