"""Batches: the effect of one update, for every architecture and objective."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.w2v_core import oracles
from tests.w2v_core.oracles import COMBINATIONS
from tests.w2v_core.runs import SIZES, model_for, run, shards_of
from w2v_core import factory, sparse
from w2v_core.objectives import huffman
from w2v_core.randomness import generator


@pytest.mark.parametrize(("architecture", "objective"), COMBINATIONS)
def test_a_mini_batch_moves_by_the_sum_of_its_gradients(architecture: str, objective: str) -> None:
    """θ ← θ − η·Σ g over the batch's windows, equal to the nested loops: the same η as with a batch of one."""
    corpus = oracles.random_corpus(words=6, length=12)
    config = oracles.settings(architecture, objective, batch_size=12, block_length=13, epochs=1, schedule="constant")
    model = model_for(corpus)
    before = model.theta.astype(np.float64)
    (progress,) = run(config, corpus, model)

    rows = generator(config.seed, "order", 0, 0).permutation(12)
    drawn = factory.objective(oracles.settings(architecture, "negative_sampling"), corpus.counts)
    noise = drawn.noise.draw((progress.pairs, 3), rng=generator(config.seed, "training", 0, 0, 0))  # type: ignore[attr-defined]
    losses, gradient = oracles.loss_and_gradient(
        config, before, corpus.windows, rows, noise, huffman.paths(corpus.counts)
    )

    assert progress.loss == pytest.approx(sum(losses), rel=1e-5)
    np.testing.assert_allclose(model.theta, before - 0.1 * gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("objective", ["softmax", "hierarchical_softmax"])
@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
def test_a_full_batch_is_one_step_along_the_gradient_of_j(architecture: str, objective: str) -> None:
    """θ ← θ − η·∇J, J the mean over all windows of all shards: one update an epoch, equal to the nested loops."""
    corpus = oracles.random_corpus(words=6, length=46)
    config = oracles.settings(architecture, objective, batch_size="full", epochs=1)
    model = model_for(corpus)
    before = model.theta.astype(np.float64)
    shards = shards_of(corpus, 20)
    list(run(config, corpus, model, shard_rows=20))

    gradient = np.zeros_like(before)
    for shard in shards:
        rows, noise = np.arange(len(shard)), np.zeros((10**4, 0), np.int32)
        gradient += oracles.loss_and_gradient(config, before, shard, rows, noise, huffman.paths(corpus.counts))[1]
    np.testing.assert_allclose(model.theta, before - 0.1 * gradient / 46, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", ["softmax", "hierarchical_softmax"])
@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
def test_gradient_descent_never_climbs(architecture: str, objective: str) -> None:
    """With a full batch and a step small enough, J(θ) falls with every update."""
    corpus = oracles.random_corpus(words=10, length=200)
    config = oracles.settings(
        architecture, objective, batch_size="full", epochs=30, learning_rate=0.5, schedule="constant"
    )
    model = model_for(corpus)
    losses = []
    for progress in run(config, corpus, model, shard_rows=1000):
        assert progress.loss is not None
        losses.append(progress.loss)

    assert all(after < before for before, after in pairwise(losses))
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("architecture", "objective"), COMBINATIONS)
def test_frozen_words_keep_their_vectors(architecture: str, objective: str, size: int | str) -> None:
    """Frozen words keep their bits while the others move; inner nodes of a tree are not words, and all move."""
    corpus = oracles.random_corpus(words=10, length=70)
    model = model_for(corpus)
    before = model.theta.copy()
    frozen = np.arange(10) % 2 == 0
    list(run(oracles.settings(architecture, objective, batch_size=size), corpus, model, frozen=frozen))
    moved = (model.theta != before).any(axis=2)

    assert moved[:, 0].tolist() == (~frozen).tolist()
    assert moved[:, 1].tolist() == [True] * 9 + [False] if objective == "hierarchical_softmax" else (~frozen).tolist()


def test_damping_limits_a_frequent_row() -> None:
    """At rate 0.1 and damping 0.4, a row with 1 term moves by its step, one with 8 by half: 0.4 times their mean."""
    table = np.zeros((3, 2))
    rows = sparse.Rows(np.array([0, 2]), np.array([[1.0, 2], [8, 16]]), np.array([1, 8]))
    sparse.descend(table, rows, 0.1, 0.4, np.zeros(3, np.bool_))

    np.testing.assert_allclose(table, [[-0.1, -0.2], [0, 0], [-0.4, -0.8]])


def test_every_update_has_the_rate_of_its_place() -> None:
    """A learner asks for the rate at the rows consumed before the update, also when it resumes."""
    corpus = oracles.random_corpus(words=10, length=30)
    learner = factory.learner(oracles.SETTINGS, model_for(corpus), corpus.counts, lambda epoch: 30)
    asked: list[int] = []

    def rate(row: int) -> float:
        asked.append(row)
        return 0.1

    list(learner.learn(corpus.windows, (0, 0), rate))
    list(learner.learn(corpus.windows, (0, 0), rate, 2))

    assert asked == [0, 8, 16, 24, 16, 24]


@pytest.mark.parametrize(
    ("others", "name"),
    [
        ({"batch_size": "full"}, "FullBatch"),
        ({"batch_size": 64, "shared_negatives": 4, "block_length": 64}, "InFlight"),
        ({"batch_size": 63, "shared_negatives": 4, "block_length": 64}, "MiniBatches"),
        ({"batch_size": 64, "shared_negatives": 0, "block_length": 64}, "MiniBatches"),
        ({"batch_size": 64, "shared_negatives": 4, "objective": "softmax"}, "MiniBatches"),
        ({"batch_size": 64, "objective": "hierarchical_softmax"}, "InFlight"),
        ({"batch_size": 64, "objective": "hierarchical_softmax", "architecture": "cbow"}, "MiniBatches"),
    ],
)
def test_the_learner_follows_from_the_settings(others: dict[str, object], name: str) -> None:
    """The factory chooses blocks where the objective has them and a batch holds one, else the general learner."""
    corpus = oracles.random_corpus(words=10, length=70)
    config = replace(oracles.SETTINGS, **others)  # type: ignore[arg-type]
    learner = factory.learner(config, model_for(corpus), corpus.counts, lambda epoch: 70)

    assert type(learner).__name__ == name
