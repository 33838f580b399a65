"""vocabulary, windows → vectors of subwords: the words' own, and the n-grams of those that were never seen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.schema import Runtime
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.evaluation.judging import Space
from tasks.training.session import TrainingSession
from tasks.vectors import tables
from tests.support.topics import train
from w2v_core.fast import pipelined

SETTINGS: dict[str, Any] = {"max_n": 4, "min_n": 2, "buckets": 500, "epochs": 6, "learning_rate": 0.05}


@pytest.fixture(autouse=True)
def short_rounds() -> Iterator[None]:
    """Make rounds of the fast path short enough for this small corpus."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipelined, "ROUND", 2)
        yield


def workspace(tmp_path: Path, name: str, **runtime: Any) -> Context:
    return Context(runtime=Runtime(workspace=str(tmp_path / name), **runtime))


@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
def test_words_never_seen_are_near_to_words_that_look_like_them(context: Context, architecture: str) -> None:
    """J(θ) falls, and `seashell`, `skylark` lie with the words of their topics; n-grams in no bucket make no vector."""
    made = train(context, architecture=architecture, **SETTINGS)
    judged = contracts.read(made.path / "curve.parquet", contracts.CURVE)["held_out_loss"].drop_null().to_pylist()
    space = Space(tables.load(made))
    query = space.query(["seashell", "skylark", "日本", "sea1"])
    near = space.vectors.nearest(query.unit[:2], query.row[:2, None], 5).word

    assert judged[-1] < judged[0]
    assert query.row[:3].tolist() == [16, 16, -1]
    assert query.row[3] < 16
    assert [{space.words[row][:3] for row in rows} for rows in near] == [{"sea"}, {"sky"}]


def test_a_stopped_training_goes_on_to_the_same_bits_by_any_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread or two, whole or stopped in the middle: the same vectors and n-grams."""
    settings = SETTINGS | {"epochs": 2, "batch_size": 32}
    whole = train(workspace(tmp_path, "whole", training_threads=1), **settings)
    updates = TrainingSession._learn

    def interrupted(self: TrainingSession):
        for number, update in enumerate(updates(self), start=1):
            yield update
            if number == 5:
                self.save()
                raise ConnectionAbortedError

    monkeypatch.setattr(TrainingSession, "_learn", interrupted)
    with pytest.raises(ConnectionAbortedError):
        train(workspace(tmp_path, "stopped", training_threads=2), **settings)
    monkeypatch.undo()

    assert train(workspace(tmp_path, "stopped", training_threads=2), **settings).digest == whole.digest


def test_only_buckets_in_use_are_kept(context: Context) -> None:
    """Of a million buckets the output has rows of those into which an n-gram of the vocabulary falls, ascending."""
    learnt = tables.load(train(context, **SETTINGS | {"buckets": 1_000_000, "epochs": 1}))
    assert learnt.subwords

    assert 0 < len(learnt.subwords.bucket) < 200
    assert (np.diff(learnt.subwords.bucket) > 0).all()
    assert learnt.subwords.table.shape == (len(learnt.subwords.bucket), 8)
