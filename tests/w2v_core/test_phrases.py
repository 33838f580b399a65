"""Pairs, their scores, and which of them are joined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v_core.phrases import BETWEEN, Alphabet, chosen, npmi, word2phrase

NEW, YORK, OF, THE = 0, 1, 2, 3
CONNECTOR = np.array([False, False, True, True])
texts = st.lists(st.lists(st.integers(-1, 3), max_size=12), max_size=5)


def flat(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    words = np.array([word for row in rows for word in row], np.int64)
    return words, np.repeat(np.arange(len(rows)), [len(row) for row in rows])


def loop(rows: list[list[int]], phrases: set[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], list[int]]:
    """The pairs of a text, and the positions at which words begin once its phrases are joined, word by word."""
    pairs, begins, beginning = [], [], 0
    for row in rows:
        last, free = -1, 0  # the last position that is no connector; the first that no phrase has taken
        inside: set[int] = set()
        for place, word in enumerate(row):
            if word >= 0 and CONNECTOR[word]:
                continue
            pair = tuple(row[last : place + 1]) if last >= 0 and place - last <= BETWEEN + 1 else ()
            if pair and min(pair[0], pair[-1]) >= 0:
                pairs.append(pair)
            if pair in phrases and last >= free:
                inside |= {*range(last + 1, place + 1)}
                free = place + 1
            last = place
        begins += [beginning + place for place in range(len(row)) if place not in inside]
        beginning += len(row)
    return pairs, begins


def test_pairs_of_a_text() -> None:
    """`new york of the york new`, then a new row: connectors are between, and no pair crosses rows."""
    alphabet = Alphabet(CONNECTOR)
    pairs = alphabet.pairs(*flat([[NEW, YORK, OF, THE, YORK, NEW], [OF, NEW]]))
    first, between, last = alphabet.parts(pairs.key)

    assert pairs.first.tolist() == [0, 1, 4]
    assert pairs.last.tolist() == [1, 4, 5]
    assert [*zip(first.tolist(), between, last.tolist(), strict=True)] == [
        (NEW, [], YORK),
        (YORK, [OF, THE], YORK),
        (YORK, [], NEW),
    ]


@given(texts)
def test_pairs_equal_the_loop(rows: list[list[int]]) -> None:
    """Keys are different for different pairs and tell the words again; words without an id are in no pair."""
    alphabet = Alphabet(CONNECTOR)
    key = alphabet.pairs(*flat(rows)).key
    first, between, last = alphabet.parts(key[key >= 0])
    found = [(a, *gap, b) for a, gap, b in zip(first.tolist(), between, last.tolist(), strict=True)]

    assert found == loop(rows, set())[0]
    assert [alphabet.key(pair) for pair in found] == key[key >= 0].tolist()


@given(texts, st.sets(st.sampled_from([(0, 1), (1, 0), (0, 0), (1, 2, 0), (0, 3, 2, 1)])))
def test_phrases_are_joined_from_the_left(rows: list[list[int]], phrases: set[tuple[int, ...]]) -> None:
    """As a loop over the words does it: a word that ends a phrase begins none."""
    alphabet = Alphabet(CONNECTOR)
    words, row = flat(rows)
    pairs = alphabet.pairs(words, row)
    taken = chosen(pairs, np.isin(pairs.key, [alphabet.key(phrase) for phrase in phrases]))
    spans = zip(pairs.first[taken], pairs.last[taken], strict=True)
    inside = {place for first, last in spans for place in range(first + 1, last + 1)}

    assert [place for place in range(len(words)) if place not in inside] == loop(rows, phrases)[1]


def test_scores() -> None:
    """word2phrase: (20 − 5) · 1000 / (50 · 40) = 7.5. NPMI: ln(.02 / (.05 · .04)) / −ln .02; always together, 1."""
    pair, first, last = np.array([20, 4, 30]), np.array([50, 50, 30]), np.array([40, 40, 30])

    np.testing.assert_allclose(word2phrase(pair, first, last, 1_000, 5)[0], 7.5)
    np.testing.assert_allclose(npmi(pair, first, last, 1_000, 5), [np.log(10) / -np.log(0.02), -1, 1])


def test_a_text_of_one_pair_alone_scores() -> None:
    """Where the pair is the whole text, ln p is 0: the score is the highest, 1."""
    assert npmi(np.array([5]), np.array([5]), np.array([5]), 5, 1).tolist() == [1]


def test_numbers_that_do_not_fit_are_refused() -> None:
    """With a million words and a hundred connectors, keys would not fit in 64 bits."""
    connector = np.zeros(1_000_000, bool)
    connector[:100] = True

    with pytest.raises(OverflowError, match="1,000,000 words and 100 connectors"):
        Alphabet(connector)
