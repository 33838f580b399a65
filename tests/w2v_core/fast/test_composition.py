"""Words of subwords on blocks: the same as loops over pairs and rows, for any number of threads and interruption."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from numpy.typing import NDArray

from tests.w2v_core import oracles
from tests.w2v_core.oracles import Corpus
from w2v_core import factory
from w2v_core.fast import adding, pipelined
from w2v_core.fast.stratified import Strata
from w2v_core.model import Model
from w2v_core.randomness import generator
from w2v_core.subwords import Grams, parts
from w2v_core.training import Settings, Step
from w2v_core.vocabulary import Noise

WORDS = ["the", "there", "he", "here", "a", "ban", "banana"]  # with n-grams in common, and one without any
GRAMS = Grams(3, 4, 11)  # so few buckets that n-grams of one word share a row
SETTINGS = replace(oracles.SETTINGS, window=4, batch_size=8, block_length=4, shared_negatives=3)
ways = pytest.mark.parametrize(
    ("architecture", "combination"), [("skip_gram", "mean"), ("cbow", "mean"), ("cbow", "sum")]
)
Table = NDArray[np.float64]


def model_for(corpus: Corpus) -> Model:
    rng = np.random.default_rng(0)
    theta = rng.standard_normal((len(corpus.counts), 2, 4), dtype=np.float32) / 2
    words = [f"{WORDS[word % 7]}{'s' * (word // 7)}" for word in range(len(corpus.counts))]
    found = parts(words, GRAMS, 4)
    found.table[:] = rng.standard_normal(found.table.shape, dtype=np.float32) / 2
    return Model(theta, found)


def learn(config: Settings, corpus: Corpus, model: Model, *, threads: int = 1, first: int = 0) -> Iterator[Step]:
    learner = factory.learner(config, model, corpus.counts, lambda epoch: len(corpus.windows), threads=threads)
    return learner.learn(corpus.windows, (0, 0), lambda rows: 0.1 / (1 + rows), first)


def loss_of(config: Settings, corpus: Corpus, words: Table, output: Table, noise: NDArray[np.int32]) -> float:
    """Return the loss of the one block of a corpus, pair by pair, of words with these vectors (V, D)."""
    loss = 0.0
    weight = config.negatives / config.shared_negatives
    for mixture, target in oracles.problems(
        config.architecture, config.combination, corpus.windows, np.arange(len(corpus.windows))
    ):
        h = sum(share * words[word] for word, share in mixture)
        asked = [(target, 1, 1.0), *((word, -1, weight) for word in noise if word != target)]
        loss -= sum(w * np.log(oracles.sigmoid(y * (output[word] @ h))) for word, y, w in asked)
    return float(loss)


@ways
def test_each_row_gets_the_gradient_of_its_words(architecture: str, combination: str) -> None:
    """Without damping a row moves by η times the summed gradients of the words that it is in: central differences."""
    config = replace(SETTINGS, architecture=architecture, combination=combination, damping=1e9, block_length=8)
    corpus = oracles.corpus([[0, 1, 2, 3], [4, 5, 6, 6]], 7, 3, 0)
    model = model_for(corpus)
    assert model.parts
    strata = Strata(Noise(corpus.counts, config.noise_exponent).probability, config.shared_negatives)
    noise = strata.draw(1, rng=generator(config.seed, "training", 0, 0, 0))[0]
    words, output = (table.astype(np.float64) for table in (model.composed().input, model.output))
    gradient, step = np.zeros(words.shape), 1e-6
    for place in np.ndindex(*words.shape):
        moved = [words.copy(), words.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (loss_of(config, corpus, each, output, noise) for each in moved)
        gradient[place] = (up - down) / (2 * step)
    own, ngrams = model.input.copy(), model.parts.table.copy()
    expected = np.zeros(ngrams.shape)
    for word, (first, last) in enumerate(zip(model.parts.start, model.parts.start[1:], strict=False)):
        for row in model.parts.row[first:last]:
            expected[row] += gradient[word]

    assert len(list(learn(config, corpus, model))) == 1

    np.testing.assert_allclose((own - model.input) / 0.1, gradient, atol=1e-4)
    np.testing.assert_allclose((ngrams - model.parts.table) / 0.1, expected, atol=1e-4)


@ways
@given(corpus=oracles.corpora())
@hypothesis_settings(max_examples=20, deadline=None)
def test_words_without_ngrams_learn_as_ever(architecture: str, combination: str, corpus: Corpus) -> None:
    """If no word is long enough for an n-gram, θ has the bits of a training without subwords."""
    config = replace(SETTINGS, architecture=architecture, combination=combination)
    plain = Model(model_for(corpus).theta)
    none = parts(["" for _ in corpus.counts], Grams(3, 4, 11), 4)
    whole = Model(plain.theta.copy(), none)

    assert list(learn(config, corpus, whole)) == list(learn(config, corpus, plain))
    assert whole.theta.tobytes() == plain.theta.tobytes()


@ways
@pytest.mark.parametrize("stop", [1, 4])
def test_threads_and_interruptions_change_no_bit(
    architecture: str, combination: str, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread, two, and a training resumed from its tables give the same bits and records."""
    monkeypatch.setattr(pipelined, "ROUND", 4)
    config = replace(SETTINGS, architecture=architecture, combination=combination, batch_size=16, block_length=8)
    corpus = oracles.random_corpus(40, 500)
    alone, together, parted = (model_for(corpus) for _ in range(3))
    steps = list(learn(config, corpus, alone))

    assert list(learn(config, corpus, together, threads=2)) == steps
    before = list(islice(learn(config, corpus, parted), stop))
    resumed = Model(parted.theta.copy(), parted.parts and parted.parts.holding(parted.parts.table.copy()))
    assert before + list(learn(config, corpus, resumed, first=stop)) == steps
    for model in together, resumed:
        assert model.theta.tobytes() == alone.theta.tobytes()
        assert model.parts
        assert alone.parts
        assert model.parts.table.tobytes() == alone.parts.table.tobytes()


def test_scipy_may_lose_its_private_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """The public product gives the same bits."""
    corpus = oracles.random_corpus(40, 200)
    usual, other = model_for(corpus), model_for(corpus)
    list(learn(SETTINGS, corpus, usual))

    monkeypatch.setattr(adding, "coo_matmat_dense", None)
    list(learn(SETTINGS, corpus, other))

    assert other.theta.tobytes() == usual.theta.tobytes()
    assert usual.parts
    assert other.parts
    assert other.parts.table.tobytes() == usual.parts.table.tobytes()
