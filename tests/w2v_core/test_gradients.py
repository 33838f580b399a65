"""Every architecture with every objective: the gradient is the slope of the loss, and both obey the equations."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.w2v_core import oracles
from tests.w2v_core.oracles import COMBINATIONS, Corpus
from w2v_core import factory, sparse
from w2v_core.batches import gradients
from w2v_core.model import Model
from w2v_core.objectives import huffman, logistic, softmax
from w2v_core.training import Settings
from w2v_core.vocabulary import Noise


def loss_and_gradient(
    config: Settings, theta: NDArray[np.float64], corpus: Corpus, rows: NDArray[np.intp], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the core's losses, and its gradient as a dense table (V, 2, D)."""
    objective = factory.objective(config, corpus.counts)
    problems = factory.architecture(config)(corpus.windows, rows)
    loss, d_input, d_output = gradients(Model(theta), problems, objective, rng=np.random.default_rng(seed))
    d_theta = np.zeros_like(theta)
    d_theta[d_input.row, 0], d_theta[d_output.row, 1] = d_input.gradient, d_output.gradient
    return loss, d_theta


def some_rows(corpus: Corpus, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return half of the rows, in random order."""
    return rng.permutation(len(corpus.windows))[: (len(corpus.windows) + 1) // 2]


@pytest.mark.parametrize(("architecture", "objective"), COMBINATIONS)
@given(oracles.corpora(), st.integers(1, 6), st.integers(0, 99), st.sampled_from(["mean", "sum"]))
@settings(max_examples=40, deadline=None)
def test_gradient_is_the_slope_of_the_loss(
    architecture: str, objective: str, corpus: Corpus, size: int, seed: int, combination: str
) -> None:
    """Along a random direction, gradient · direction equals the difference quotient (five points) to 1e-6."""
    config = oracles.settings(architecture, objective, combination=combination)
    rng = np.random.default_rng(seed)
    theta, direction = rng.standard_normal((2, len(corpus.counts), 2, size))
    rows = some_rows(corpus, rng)

    def loss(step: float) -> float:
        return float(loss_and_gradient(config, theta + step * direction, corpus, rows, seed)[0].sum())

    step = 1e-3
    slope = (8 * (loss(step) - loss(-step)) - (loss(2 * step) - loss(-2 * step))) / (12 * step)
    found = float((loss_and_gradient(config, theta, corpus, rows, seed)[1] * direction).sum())

    assert found == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("path", ["dense", "sparse"])
@pytest.mark.parametrize(("architecture", "objective"), COMBINATIONS)
@given(oracles.corpora(), st.integers(1, 6), st.integers(0, 99), st.sampled_from(["mean", "sum"]))
@settings(max_examples=30, deadline=None)
def test_equals_the_nested_loops(
    path: str, architecture: str, objective: str, corpus: Corpus, size: int, seed: int, combination: str
) -> None:
    """Losses of pairs and gradients of vectors equal the loops', with either product and chunks of any size."""
    config = oracles.settings(architecture, objective, combination=combination)
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal((len(corpus.counts), 2, size))
    rows = some_rows(corpus, rng)
    pairs = len(list(oracles.problems(architecture, combination, corpus.windows, rows)))
    noise = Noise(corpus.counts, config.noise_exponent).draw((pairs, config.negatives), rng=np.random.default_rng(seed))

    expected_loss, expected = oracles.loss_and_gradient(
        config, theta, corpus.windows, rows, noise, huffman.paths(corpus.counts)
    )
    small = {"dense": 1 << 20, "sparse": 0}[path]
    with patch.object(sparse, "DENSE", small), patch.object(logistic, "CHUNK", 3), patch.object(softmax, "ELEMENTS", 9):
        loss, found = loss_and_gradient(config, theta, corpus, rows, seed)

    np.testing.assert_allclose(loss, expected_loss, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("architecture", "objective"), COMBINATIONS)
def test_scores_of_any_size_are_safe(architecture: str, objective: str) -> None:
    """Scores of ±10⁴ in float32 neither overflow nor underflow: the loss is the exact cost."""
    corpus = oracles.random_corpus(words=6, length=40)
    theta = np.full((6, 2, 1), 100, np.float32)
    theta[::2, 1] = -100
    config = oracles.settings(architecture, objective)
    loss, found = loss_and_gradient(config, theta, corpus, np.arange(40), seed=0)  # type: ignore[arg-type]

    assert np.isfinite(found).all()
    assert loss.max() >= 10_000


def test_worked_example_softmax() -> None:
    """v = (1, 0), u_0 = (ln 3, 0), u_1 = (0, 5): scores ln 3 and 0, so P = 3/4 and 1/4. For the target 1 the loss is
    ln 4, d_score = (3/4, −3/4), d_v = 3/4·u_0 − 3/4·u_1 and d_u = (3/4·v, −3/4·v)."""
    hidden, output = np.array([[1.0, 0]]), np.array([[np.log(3), 0], [0, 5]])
    first = np.zeros(1, np.intp)
    found = softmax.Softmax().gradients(hidden, first, np.array([1]), output, rng=np.random.default_rng(0))

    np.testing.assert_allclose(found.loss, [np.log(4)])
    np.testing.assert_allclose(found.d_hidden, [[0.75 * np.log(3), -3.75]])
    np.testing.assert_allclose(found.d_output.gradient, [[0.75, 0], [-0.75, 0]])


def test_worked_example_decisions() -> None:
    """h = 1; the target has u = ln 3, so σ = 3/4; the noise word has u = 0, so σ = 1/2. The loss is ln(4/3) + ln 2,
    d_score = (−1/4, 1/2), and d_h = −1/4·ln 3."""
    hidden, output, first = np.array([[1.0]]), np.array([[np.log(3)], [0.0]]), np.zeros(1, np.intp)
    found = logistic.gradients(hidden, first, output, np.zeros(2, np.intp), np.arange(2), np.array([True, False]))

    np.testing.assert_allclose(found.loss, [np.log(4 / 3) + np.log(2)])
    np.testing.assert_allclose(found.d_hidden, [[-np.log(3) / 4]])
    np.testing.assert_allclose(found.d_output.gradient, [[-0.25], [0.5]])
