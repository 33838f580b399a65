"""The model: a cold start, and a warm start from an earlier model."""

import numpy as np

from w2v_core.model import Inherited, Model, initial, warm


def test_initial_vectors() -> None:
    """Input vectors fill ±0.4/√D evenly, output vectors are zero, everything is float32."""
    model = initial(2000, 16, rng=np.random.default_rng(0))

    assert model.theta.dtype == np.float32
    assert 0.0999 < abs(model.input).max() <= 0.1
    assert abs(model.input.mean()) < 0.001
    assert np.unique(model.input).size > 15_000
    assert not model.output.any()


def test_the_tables_are_views() -> None:
    """Writing to `input` and `output` writes to θ."""
    model = initial(3, 2, rng=np.random.default_rng(0))
    model.input[1] = 5
    model.output[2] = 7

    assert model.theta[1, 0].tolist() == [5, 5]
    assert model.theta[2, 1].tolist() == [7, 7]


def test_warm_start_follows_the_words() -> None:
    """`b` moves from row 1 to row 0 and keeps both vectors, `new` starts like a cold start, `a` and `c` are dropped."""
    old = Model(np.arange(12, dtype=np.float32).reshape(3, 2, 2))
    model, inherited = warm(["b", "new"], ["a", "b", "c"], old, outputs_are_words=True, rng=np.random.default_rng(0))

    assert inherited == Inherited(kept=1, new=1, dropped=2)
    assert np.array_equal(model.theta[0], old.theta[1])
    assert 0 < abs(model.input[1]).max() <= 0.25
    assert not model.output[1].any()


def test_warm_start_leaves_the_nodes_of_an_old_tree_behind() -> None:
    """Output vectors of nodes start at zero: new counts have built another tree."""
    old = Model(np.ones((2, 2, 2), np.float32))
    model, _ = warm(["b", "a"], ["a", "b"], old, outputs_are_words=False, rng=np.random.default_rng(0))

    assert (model.input == 1).all()
    assert not model.output.any()
