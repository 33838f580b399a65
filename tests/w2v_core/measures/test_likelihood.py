"""J(θ) on held-out windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.w2v_core import oracles
from tests.w2v_core.oracles import COMBINATIONS, Corpus
from w2v_core.measures import likelihood
from w2v_core.measures.likelihood import held_out_loss
from w2v_core.model import Model, initial
from w2v_core.objectives import huffman, softmax
from w2v_core.windows import Windows

NO_NOISE = np.zeros((10**4, 0), np.int32)


@pytest.mark.parametrize(("architecture", "objective"), COMBINATIONS)
@given(oracles.corpora(), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_equals_the_nested_loops(architecture: str, objective: str, corpus: Corpus, seed: int) -> None:
    """J(θ) is that of the tree for hierarchical softmax, of the naive softmax for the others; in chunks of any size."""
    theta = np.random.default_rng(seed).standard_normal((len(corpus.counts), 2, 3), dtype=np.float32)
    judge = "softmax" if objective == "negative_sampling" else objective
    losses, _ = oracles.loss_and_gradient(
        oracles.settings(architecture, judge),
        theta.astype(np.float64),
        corpus.windows,
        np.arange(len(corpus.windows)),
        NO_NOISE,
        huffman.paths(corpus.counts),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likelihood, "CHUNK", 3)
        patch.setattr(softmax, "ELEMENTS", 7)
        found = held_out_loss(Model(theta), corpus.windows, oracles.settings(architecture, objective), corpus.counts)

    assert found.pairs == len(losses)
    assert found.windows == len(corpus.windows)
    assert found.loss == pytest.approx(sum(losses), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
def test_an_untrained_model_knows_nothing(architecture: str) -> None:
    """Output vectors start at zero, so every word is as likely as any other: log V a pair, exactly."""
    corpus = oracles.random_corpus(words=10, length=60)
    model = initial(10, 5, rng=np.random.default_rng(0))
    found = held_out_loss(model, corpus.windows, oracles.settings(architecture, "softmax"), corpus.counts)

    assert found.per_pair == pytest.approx(np.log(10), rel=1e-15)
    assert found.per_window == pytest.approx(np.log(10) * found.pairs / 60, rel=1e-15)


def test_rows_without_a_radius_are_context_only() -> None:
    """Judging the middle one of three words counts one window with two pairs."""
    windows = Windows(np.zeros(3, np.int32), np.arange(3, dtype=np.int32), np.array([0, 1, 0], np.uint8))
    found = held_out_loss(initial(3, 5, rng=np.random.default_rng(0)), windows, oracles.SETTINGS, np.ones(3, np.int64))

    assert (found.windows, found.pairs) == (1, 2)
