"""Blocks: the matrix products equal nested loops, for any corpus, number of threads and interruption."""

import math
import runpy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from numpy.typing import NDArray
from scipy.sparse import _sparsetools

from tests.w2v_core import oracles
from tests.w2v_core.oracles import Corpus
from w2v_core import factory
from w2v_core.fast import adding, blocks, hierarchical_softmax, pipelined
from w2v_core.fast.adding import Floats, Places, add_rows
from w2v_core.fast.pipelined import InFlight
from w2v_core.fast.stratified import Strata
from w2v_core.model import Model
from w2v_core.objectives import huffman
from w2v_core.randomness import generator
from w2v_core.training import Settings, Step
from w2v_core.vocabulary import Noise

NOISE = [("skip_gram", "mean"), ("cbow", "mean"), ("cbow", "sum")]
WAYS = [*(("negative_sampling", *way) for way in NOISE), ("hierarchical_softmax", "skip_gram", "mean")]
ways = pytest.mark.parametrize(("objective", "architecture", "combination"), WAYS)
SETTINGS = replace(oracles.SETTINGS, window=4, batch_size=8, block_length=4, shared_negatives=3)
Table = NDArray[np.float64]


def configured(objective: str, architecture: str, combination: str, **others: object) -> Settings:
    named = {"objective": objective, "architecture": architecture, "combination": combination}
    return replace(SETTINGS, **named, **others)  # type: ignore[arg-type]


def model_for(corpus: Corpus) -> Model:
    """Return vectors of which none is zero, so that no gradient vanishes."""
    return Model(np.random.default_rng(0).standard_normal((len(corpus.counts), 2, 4), dtype=np.float32) / 2)


def learn(
    config: Settings, corpus: Corpus, model: Model, *, threads: int = 1, first: int = 0, place: tuple[int, int] = (0, 0)
) -> Iterator[Step]:
    learner = factory.learner(config, model, corpus.counts, lambda epoch: len(corpus.windows), threads=threads)
    assert isinstance(learner, InFlight)
    return learner.learn(corpus.windows, place, lambda rows: 0.1 / (1 + rows), first)


def noise_of(corpus: Corpus) -> Noise:
    return Noise(corpus.counts, SETTINGS.noise_exponent)


def oracle_gradient(
    config: Settings,
    corpus: Corpus,
    theta: Table,
    rows: Sequence[int] | NDArray[np.int64],
    noise: NDArray[np.floating],
    weight: float,
) -> tuple[Table, Table, float]:
    """Gradient and terms of every row of θ, and the loss, of the given rows, pair by pair and word by word.

    noise[i, k] says how often word k is drawn for row i; each draw counts `weight` times unless it is the true word.
    """
    windows, paths = corpus.windows, huffman.paths(corpus.counts)
    gradient, terms, loss = np.zeros(theta.shape), np.zeros(theta.shape[:2]), 0.0
    for number, i in enumerate(rows):
        for mixture, target in oracles.problems(config.architecture, config.combination, windows, np.array([i])):
            h = sum(share * theta[word, 0] for word, share in mixture)
            if config.objective == "negative_sampling":
                drawn = enumerate(noise[number])
                asked = [(target, 1, 1.0), *((word, -1, weight * often) for word, often in drawn if word != target)]
            else:
                path = range(paths.start[target], paths.start[target + 1])
                asked = [(int(paths.node[step]), 1 - 2 * int(paths.code[step]), 1.0) for step in path]
            for word, y, w in asked:
                score = y * (theta[word, 1] @ h)
                loss -= w * math.log(oracles.sigmoid(score))
                d_score = -w * y * oracles.sigmoid(-score)
                gradient[word, 1] += d_score * h
                terms[word, 1] += w
                for source, share in mixture:
                    gradient[source, 0] += d_score * share * theta[word, 1]
                    terms[source, 0] += w * share
    return gradient, terms, loss


def oracle_noise(config: Settings, strata: Strata, batches: int, each: int) -> dict[int, NDArray[np.int32]]:
    """Return the noise words of each batch, (blocks, K); those of every other batch of a round are drawn together."""
    drawn = {}
    for start in range(0, batches, pipelined.ROUND):
        for lane in (0, 1):
            numbers = range(start + lane, min(start + pipelined.ROUND, batches), 2)
            rng = generator(config.seed, "training", 0, 0, start + lane)
            words = strata.draw(len(numbers) * each, rng=rng)
            drawn |= {number: words[i * each : (i + 1) * each] for i, number in enumerate(numbers)}
    return drawn


def oracle(config: Settings, corpus: Corpus, model: Model) -> tuple[Table, list[float]]:
    """Return θ after one shard, and the loss of each of its batches."""
    theta, losses = model.theta.astype(np.float64), []
    before = theta
    strata = Strata(noise_of(corpus).probability, config.shared_negatives)
    size, length = config.batch_size, config.block_length
    assert size != "full"
    drawn = oracle_noise(config, strata, -(-len(corpus.windows) // size), size // length)
    every = np.arange(len(corpus.windows))
    parts = [every[first : first + length] for first in every[::length]]
    if config.objective == "hierarchical_softmax":
        parts = [parts[block] for block in generator(config.seed, "order", 0, 0).permutation(len(parts))]
    for batch, start in enumerate(range(0, len(corpus.windows), size)):
        taken = parts[batch * size // length : (batch + 1) * size // length]
        rows = np.concatenate(taken)
        words = drawn[batch][: len(taken)]
        often = np.array([np.bincount(block, minlength=len(theta)) for block in words]).repeat(config.block_length, 0)
        weight = config.negatives / config.shared_negatives
        seen = theta if batch % pipelined.ROUND == 0 else before  # not what the batch before has changed
        gradient, terms, loss = oracle_gradient(config, corpus, seen, rows, often, weight)
        rate = 0.1 / (1 + start)
        before = theta.copy()
        theta -= (rate * config.damping / np.maximum(rate * terms, config.damping))[:, :, None] * gradient
        losses.append(loss)
    return theta, losses


@pytest.mark.parametrize("damping", [20.0, 0.1])
@ways
@given(corpus=oracles.corpora())
@hypothesis_settings(max_examples=60, deadline=None)
def test_products_are_the_loops(
    objective: str, architecture: str, combination: str, damping: float, corpus: Corpus
) -> None:
    """θ after a shard, and the pairs and the loss of each round, are those of the nested loops, up to float32."""
    config = configured(objective, architecture, combination, damping=damping)
    model = model_for(corpus)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipelined, "ROUND", 4)
        patch.setattr(pipelined, "MEASURED", 1)
        patch.setattr(hierarchical_softmax, "UPPER", 2)
        theta, losses = oracle(config, corpus, model)
        pairs = oracles.problems(architecture, combination, corpus.windows, np.arange(len(corpus.windows)))

        steps = list(learn(config, corpus, model))

    np.testing.assert_allclose(model.theta, theta, rtol=1e-4, atol=1e-5)
    assert sum(step.windows for step in steps) == len(corpus.windows)
    assert sum(step.pairs for step in steps) == len(list(pairs))
    assert sum(step.updates for step in steps) == len(losses)
    rounds = [sum(losses[start : start + 4]) for start in range(0, len(losses), 4)]
    assert [step.loss for step in steps] == pytest.approx(rounds, rel=1e-5)


@pytest.mark.parametrize("threads", [2, 3, 8])
@ways
def test_threads_change_no_bit(
    objective: str, architecture: str, combination: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1, 2, 3 and 8 threads give the same tables and the same records."""
    monkeypatch.setattr(pipelined, "ROUND", 6)
    config = configured(objective, architecture, combination, batch_size=40, block_length=8)
    corpus = oracles.random_corpus(50, 1_500)
    alone, together = model_for(corpus), model_for(corpus)
    steps = list(learn(config, corpus, alone))

    others = list(learn(config, corpus, together, threads=threads))

    assert together.theta.tobytes() == alone.theta.tobytes()
    assert others == steps


@ways
@pytest.mark.parametrize("stop", [1, 4, 9])
def test_an_interruption_leaves_no_trace(
    objective: str, architecture: str, combination: str, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resuming from the tables after any round gives the same bits as not stopping."""
    monkeypatch.setattr(pipelined, "ROUND", 2)
    config = configured(objective, architecture, combination, batch_size=16)
    corpus = oracles.random_corpus(30, 300)
    whole, parted = model_for(corpus), model_for(corpus)
    steps = list(learn(config, corpus, whole))

    before = list(islice(learn(config, corpus, parted), stop))
    resumed = Model(parted.theta.copy())
    after = list(learn(config, corpus, resumed, first=stop))

    assert resumed.theta.tobytes() == whole.theta.tobytes()
    assert before + after == steps


@pytest.mark.parametrize(("architecture", "combination"), NOISE)
def test_shared_noise_is_right_on_average(architecture: str, combination: str) -> None:
    """The mean gradient over 300 draws is the expected one of `negatives` draws for each pair, within 5 errors."""
    draws = 300
    corpus = oracles.random_corpus(12, 8)
    config = configured("negative_sampling", architecture, combination, damping=1e9)
    start = model_for(corpus).theta.astype(np.float64)
    expected, _, _ = oracle_gradient(
        config,
        corpus,
        start,
        range(8),
        np.tile(noise_of(corpus).probability, (8, 1)),
        config.negatives,
    )
    found = np.empty((draws, *start.shape))

    for epoch in range(draws):
        model = model_for(corpus)
        assert len(list(learn(config, corpus, model, place=(epoch, 0)))) == 1
        found[epoch] = (start - model.theta) / 0.1

    error = found.std(axis=0) / math.sqrt(draws)
    assert (abs(found.mean(axis=0) - expected) <= 5 * error + 1e-5).all()


@ways
def test_small_batches_are_not_damped(objective: str, architecture: str, combination: str) -> None:
    """A row whose steps add up to less than `damping` moves by their sum: plain stochastic gradient descent."""
    corpus = oracles.random_corpus(30, 64)
    damped, free = model_for(corpus), model_for(corpus)

    list(learn(configured(objective, architecture, combination, damping=20.0), corpus, damped))
    list(learn(configured(objective, architecture, combination, damping=1e9), corpus, free))

    np.testing.assert_allclose(damped.theta, free.theta, rtol=1e-6)


@pytest.mark.parametrize("failing", [0, 1, 7])
def test_a_thread_that_fails_is_not_waited_for(failing: int) -> None:
    """An error in either thread is raised, and nothing hangs."""
    corpus = oracles.random_corpus(30, 300)
    learner = factory.learner(SETTINGS, model_for(corpus), corpus.counts, lambda epoch: 300, threads=2)

    def rate(rows: int) -> float:
        if rows == failing * 8:
            raise ZeroDivisionError
        return 0.1

    with pytest.raises(ZeroDivisionError):
        list(learner.learn(corpus.windows, (0, 0), rate))


def test_frozen_words_stay() -> None:
    """Both vectors of a frozen word keep their bits, and those of the others move."""
    corpus = oracles.random_corpus(10, 200)
    model = model_for(corpus)
    before, frozen = model.theta.copy(), np.arange(10) < 5

    learner = factory.learner(SETTINGS, model, corpus.counts, lambda epoch: 200, frozen=frozen)
    list(learner.learn(corpus.windows, (0, 0), lambda rows: 0.1))

    assert (model.theta[frozen] == before[frozen]).all()
    assert (model.theta[~frozen] != before[~frozen]).any(axis=(1, 2)).all()


@ways
def test_both_ways_of_multiplying_agree(
    objective: str, architecture: str, combination: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores from Hᵀ as it lies, and from a copy of it, lead to the same vectors up to rounding."""
    corpus = oracles.random_corpus(30, 300)
    config, lying, across = configured(objective, architecture, combination), model_for(corpus), model_for(corpus)
    monkeypatch.setattr(blocks, "reads_across", lambda: False)
    list(learn(config, corpus, lying))

    monkeypatch.setattr(blocks, "reads_across", lambda: True)
    list(learn(config, corpus, across))

    np.testing.assert_allclose(across.theta, lying.theta, rtol=1e-4, atol=1e-6)


@ways
def test_scores_of_any_size_are_safe(objective: str, architecture: str, combination: str) -> None:
    """Scores of ±10⁴ give finite numbers without a warning, though e^±s is 0 or infinite."""
    corpus = oracles.random_corpus(30, 300)
    model = model_for(corpus)
    model.theta[:] = np.sign(model.theta) * 100
    learner = factory.learner(configured(objective, architecture, combination), model, corpus.counts, lambda epoch: 300)

    steps = list(learner.learn(corpus.windows, (0, 0), lambda rows: 1e-6))

    assert np.isfinite(model.theta).all()
    assert sum(step.loss or 0 for step in steps) > 10_000


def test_rows_that_repeat_are_all_added() -> None:
    """The sparse product in place equals np.add.at."""
    table, row, scale, gradient, place = repeating_rows()
    expected = table.astype(np.float64)
    np.add.at(expected, row, scale[:, None] * gradient[place])

    add_rows(table, row, scale, gradient, place)

    np.testing.assert_allclose(table, expected, rtol=1e-5)


def test_scipy_may_lose_its_private_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """The public product gives the same bits, in one update and in a training."""
    corpus = oracles.random_corpus(10, 200)

    def trained() -> Floats:
        model = model_for(corpus)
        learner = factory.learner(SETTINGS, model, corpus.counts, lambda epoch: 200)
        list(learner.learn(corpus.windows, (0, 0), lambda rows: 0.1))
        return model.theta

    (usual, *update), (other, *_) = repeating_rows(), repeating_rows()
    expected = trained()
    add_rows(usual, *update)

    monkeypatch.delattr(_sparsetools, "coo_matmat_dense")
    without = runpy.run_path(str(adding.__file__))
    assert not without["IN_PLACE"]

    monkeypatch.setattr(adding, "coo_matmat_dense", without["coo_matmat_dense"])
    add_rows(other, *update)
    assert other.tobytes() == usual.tobytes()
    assert trained().tobytes() == expected.tobytes()


def repeating_rows() -> tuple[Floats, Places, Floats, Floats, Places]:
    """Return a table, and gradients to add to some of its rows."""
    rng = np.random.default_rng(0)
    table, gradient = rng.random((7, 3), np.float32), rng.random((50, 3), np.float32)
    row, place = rng.integers(7, size=20), rng.permutation(50)[:20]
    return table, row, rng.random(20, np.float32), gradient, place
