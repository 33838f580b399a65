"""Vectors of documents: the mean, and smooth inverse frequency without the direction that all documents share."""

import numpy as np
import pytest

from w2v_core.measures.documents import LENGTH, A, Documents

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(50, 4)).astype(np.float32) + np.float32([1, 0, 0, 0])
COUNTS = np.sort(RNG.integers(1, 1_000, 50))[::-1]


def test_the_mean_is_the_mean() -> None:
    """A word that occurs twice counts twice; a document without words is all zeros."""
    found = Documents(TABLE, COUNTS).vectors([[3, 3, 7], []], "mean")

    np.testing.assert_allclose(found, [(2 * TABLE[3] + TABLE[7]) / 3, np.zeros(4)], rtol=1e-6)


def test_sif_by_hand() -> None:
    """Two words along the axes, of shares .75 and .25: the formula written out, less its part along u."""
    table = np.eye(2, dtype=np.float32)
    alpha = np.array([A / (A + 0.75), A / (A + 0.25)])
    mean, second = np.array([0.75, 0.25]) * alpha, np.diag(np.array([0.75, 0.25]) * alpha**2)
    moment = np.outer(mean, mean) * (1 - 1 / LENGTH) + second / LENGTH
    u = np.linalg.svd(moment)[0][:, 0]
    x = (alpha * [2, 1]) / 3

    np.testing.assert_allclose(
        Documents(table, np.array([3, 1])).vectors([[0, 1, 0]])[0], x - (u @ x) * u, rtol=1e-5, atol=1e-9
    )


def test_the_direction_is_that_of_drawn_documents() -> None:
    """An oracle: the first singular vector of 20,000 documents of words drawn by frequency is what is removed."""
    rng = np.random.default_rng(1)
    weighted = TABLE * (A / (A + COUNTS / COUNTS.sum()))[:, None]
    drawn = rng.choice(50, size=(20_000, LENGTH), p=COUNTS / COUNTS.sum())
    u = np.linalg.svd(weighted[drawn].mean(axis=1), full_matrices=False)[2][0]

    assert abs(u @ Documents(TABLE, COUNTS)._common) == pytest.approx(1, abs=1e-3)


def test_a_document_does_not_depend_on_others() -> None:
    """The same bits alone and among others, and nothing is left along the removed direction."""
    documents = Documents(TABLE, COUNTS)
    alone, among = documents.vectors([[1, 2, 3]])[0], documents.vectors([[9], [1, 2, 3], [4, 4]])[1]

    assert alone.tobytes() == among.tobytes()
    assert abs(among @ documents._common) < 1e-6


def test_vectors_of_zeros_are_no_error() -> None:
    """A table that has learnt nothing gives zeros."""
    assert not Documents(np.zeros((3, 2), np.float32), np.ones(3, np.int64)).vectors([[0, 1]]).any()
