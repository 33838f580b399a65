"""Windows: what a draw keeps, and which pairs a window stands for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from tests.w2v_core import oracles
from tests.w2v_core.oracles import Corpus
from w2v_core.windows import Windows, draw, everything, pairs


def columns(*documents: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the documents and words of letters."""
    number = np.repeat(np.arange(len(documents), dtype=np.int32), [len(document) for document in documents])
    return number, np.array([ord(letter) - ord("a") for letter in "".join(documents)], np.int32)


def test_worked_example() -> None:
    """`abc` and `de` at radius 2: a sees b c, b sees a c, c sees a b, d sees e, e sees d."""
    row, context = pairs(everything(*columns("abc", "de"), window=2))

    assert row.tolist() == [0, 0, 1, 1, 2, 2, 3, 4]
    assert context.tolist() == [1, 2, 0, 2, 0, 1, 4, 3]


@given(oracles.corpora(), st.randoms(use_true_random=False))
def test_pairs_equal_the_nested_loops(corpus: Corpus, random: object) -> None:
    """For any rows in any order, pairs() returns all rows within radius and document, by row, then position."""
    windows = corpus.windows
    rows = np.random.default_rng(random.randrange(99)).permutation(len(windows))[: 2 + len(windows) // 2]  # type: ignore[attr-defined]
    expected = [(i, j) for i, row in enumerate(rows) for j in oracles.context(windows, int(row))]

    assert list(zip(*map(np.ndarray.tolist, pairs(windows, rows)), strict=True)) == expected


@given(oracles.corpora())
def test_all_rows_are_meant_where_none_are_asked_for(corpus: Corpus) -> None:
    """Without `rows`, the number of a row is the row itself."""
    expected = [(i, j) for i in range(len(corpus.windows)) for j in oracles.context(corpus.windows, i)]

    assert list(zip(*map(np.ndarray.tolist, pairs(corpus.windows)), strict=True)) == expected


@given(oracles.corpora())
def test_no_window_crosses_a_document(corpus: Corpus) -> None:
    """Both rows of a pair lie in the same document."""
    row, context = pairs(corpus.windows)

    assert (corpus.windows.document[row] == corpus.windows.document[context]).all()


def test_radius_zero_only_serves_as_context() -> None:
    """A row with radius 0 has no context, and is still in the contexts of its neighbours."""
    windows = Windows(*columns("abc"), np.array([0, 1, 0], np.uint8))
    row, context = pairs(windows)

    assert row.tolist() == [1, 1]
    assert context.tolist() == [0, 2]


def test_the_widest_radius_does_not_wrap_around() -> None:
    """A radius of 255, the largest uint8, works: its negative must not become 1."""
    windows = everything(*columns("a" * 300), window=255)
    row, _ = pairs(windows, np.array([0]))

    assert len(row) == 255


def test_draw_keeps_words_by_their_probability_and_radii_evenly() -> None:
    """Of 20,000 each: all `a`, half of the `b`, no `c`; the radii are uniform on 1 … 5 (χ², p > 0.001)."""
    document, word = columns("abc" * 20_000)
    keep = np.array([1, 0.5, 0], np.float32)
    windows = draw(document, word, keep, 5, rng=np.random.default_rng(1))
    kept = np.bincount(windows.center, minlength=3)

    assert kept[0] == 20_000
    assert kept[1] == pytest.approx(10_000, abs=5 * np.sqrt(5_000))
    assert kept[2] == 0
    assert windows.radius.min() == 1
    assert chisquare(np.bincount(windows.radius)[1:]).pvalue > 0.001


def test_dropped_words_make_room() -> None:
    """Subsampling comes first: across a dropped `b`, `a` and `c` are neighbours at radius 1."""
    windows = draw(*columns("abc"), np.array([1, 0, 1], np.float32), 1, rng=np.random.default_rng(0))

    assert windows.center[pairs(windows)[1]].tolist() == [2, 0]


def test_same_seed_same_bits() -> None:
    """The same generator gives the same draw."""
    drawn = [
        draw(*columns("abcabc" * 50), np.full(3, 0.5, np.float32), 5, rng=np.random.default_rng(3)) for _ in range(2)
    ]

    assert all(np.array_equal(getattr(drawn[0], name), getattr(drawn[1], name)) for name in ("center", "radius"))
