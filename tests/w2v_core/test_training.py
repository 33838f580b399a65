"""Training: interruptions change nothing, divergence is an error, and losses fall."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from tests.w2v_core import oracles
from tests.w2v_core.oracles import COMBINATIONS, Corpus
from tests.w2v_core.runs import SIZES, model_for, run
from w2v_core.fast import pipelined
from w2v_core.measures.likelihood import held_out_loss
from w2v_core.model import Model, initial
from w2v_core.randomness import generator
from w2v_core.training import Diverged, Position, Step, train
from w2v_core.windows import Windows


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("architecture", "objective"), COMBINATIONS)
def test_same_seed_same_bits(architecture: str, objective: str, size: int | str) -> None:
    """The same settings end in the same tables; another seed ends elsewhere, unless nothing is drawn."""
    corpus = oracles.random_corpus(words=10, length=70)
    config = oracles.settings(architecture, objective, batch_size=size)
    tables = []
    for seed in (1, 1, 2):
        model = model_for(corpus)
        list(run(replace(config, seed=seed), corpus, model))
        tables.append(model.theta)

    assert np.array_equal(tables[0], tables[1])
    if size != "full":
        assert not np.array_equal(tables[0], tables[2])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("objective", ["negative_sampling", "softmax"])
@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
def test_resumed_anywhere_is_never_interrupted(architecture: str, objective: str, size: int | str) -> None:
    """From the tables and the position after any update (within a shard, at its end, at an epoch's end), training goes
    on to the same bits. Gradient descent resumes where its epoch began."""
    corpus = oracles.random_corpus(words=10, length=50)
    config = oracles.settings(architecture, objective, batch_size=size, warmup=0.2)
    model = model_for(corpus)
    saved = [(Position(), model.theta.copy())]
    records = []
    for progress in run(config, corpus, model, shard_rows=20):
        saved.append((progress.position, model.theta.copy()))
        records.append(progress)

    assert {position.epoch for position, _ in saved} == {0, 1, 2}
    for done, (position, theta) in list(enumerate(saved))[:: 7 if size == 1 else 1]:
        rest = list(run(config, corpus, Model(theta), position, shard_rows=20))

        assert np.array_equal(theta, model.theta)
        assert rest == records[len(records) - len(rest) :]
        assert size == "full" or len(rest) == len(records) - done


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize(("architecture", "objective"), COMBINATIONS)
def test_training_learns_what_the_corpus_says(
    architecture: str, objective: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a corpus where a word is mostly followed by its partner, the training loss falls."""
    monkeypatch.setattr(pipelined, "MEASURED", 1)
    corpus = oracles.random_corpus(words=10, length=400)
    config = oracles.settings(architecture, objective, batch_size=size, epochs=12, vector_size=8)
    model = initial(10, 8, rng=generator(1, "initial vectors"))
    records = list(run(config, corpus, model, shard_rows=200))
    first, last = (
        sum(p.loss or 0 for p in records if low < p.done <= high)
        / sum(p.pairs for p in records if low < p.done <= high)
        for low, high in ((0, 1 / 12), (11 / 12, 1))
    )

    assert last < 0.95 * first


def test_progress_adds_up() -> None:
    """Windows of all records are those of all epochs, `done` ends at 1, the rate goes from its peak to its floor."""
    corpus = oracles.random_corpus(words=10, length=70)
    records = list(run(oracles.SETTINGS, corpus, model_for(corpus)))

    assert sum(progress.windows for progress in records) == 2 * 70
    assert [progress.done for progress in records] == sorted(progress.done for progress in records)
    assert records[-1].done == 1
    assert records[-1].position == Position(2)
    assert records[0].learning_rate == pytest.approx(0.1)
    assert records[-1].learning_rate == pytest.approx(0.001, abs=0.01)


@pytest.mark.parametrize("size", SIZES)
def test_divergence_is_an_error_that_says_where(size: int | str) -> None:
    """An absurd rate ends in Diverged at the update that overflowed, not in vectors of NaN."""
    corpus = oracles.random_corpus(words=10, length=70)
    config = oracles.settings("skip_gram", "softmax", batch_size=size, learning_rate=1e38, schedule="constant")

    with pytest.raises(Diverged, match=r"epoch \d, shard \d, step \d[\s\S]*Lower training.learning_rate"):
        list(run(config, corpus, model_for(corpus)))


class Poison:
    """A learner whose vectors or whose loss become NaN in the second update."""

    def __init__(self, model: Model, *, loss: bool) -> None:
        self.model, self.loss = model, loss

    def learn(
        self, windows: Windows, place: tuple[int, int], learning_rate: Callable[[int], float], first: int = 0
    ) -> Iterator[Step]:
        yield Step(len(windows) - 1, 5, 1.0)
        if not self.loss:
            self.model.output[0], self.model.output[1] = np.inf, -np.inf
        yield Step(1, 5, np.nan if self.loss else None)


@pytest.mark.parametrize("loss", [True, False])
def test_divergence_is_seen_in_the_loss_and_in_the_vectors(loss: bool) -> None:
    """A loss stops the training at once; vectors of a learner that measures no loss stop it at the end of the shard."""
    corpus = oracles.random_corpus(words=10, length=70)
    model = model_for(corpus)
    records = train(
        Poison(model, loss=loss), oracles.SETTINGS, model, lambda *_: iter([corpus.windows]), lambda epoch: 70
    )
    next(records)

    with pytest.raises(Diverged, match="epoch 0, shard 0, step"):
        list(records)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("architecture", "objective"), COMBINATIONS)
@given(oracles.corpora())
@hypothesis_settings(max_examples=10, deadline=None)
def test_degenerate_corpora_train(architecture: str, objective: str, size: int | str, corpus: Corpus) -> None:
    """No document, no neighbour, one word, one word many times: every window is seen once an epoch, nothing breaks."""
    model = model_for(corpus)
    config = oracles.settings(architecture, objective, batch_size=size)
    records = list(run(config, corpus, model))

    assert sum(progress.windows for progress in records) == 2 * len(corpus.windows)
    assert np.isfinite(model.theta).all()
    assert np.isfinite(held_out_loss(model, corpus.windows, config, corpus.counts).loss)
