"""Subwords: fastText's n-grams and hashes, and vectors made of them."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from w2v_core.model import Model, initial, with_parts
from w2v_core.subwords import CHUNK, Grams, Subwords, cut, parts, rows_of, sums

GRAMS = Grams(3, 6, 2_000_000)


def slow(word: str, grams: Grams) -> list[int]:
    """Return the buckets of a word as Dictionary::computeSubwords and ::hash of fastText 0.9.2 do, byte by byte."""
    text = f"<{word}>".encode()
    found = []
    for i in range(len(text)):
        if text[i] & 0xC0 == 0x80:
            continue
        j, n, ngram = i, 1, b""
        while j < len(text) and n <= grams.max_n:
            ngram += text[j : j + 1]
            j += 1
            while j < len(text) and text[j] & 0xC0 == 0x80:
                ngram += text[j : j + 1]
                j += 1
            if n >= grams.min_n and not (n == 1 and (i == 0 or j == len(text))):
                value = 2166136261
                for byte in ngram:
                    value ^= byte if byte < 128 else byte | 0xFFFFFF00
                    value = value * 16777619 & 0xFFFFFFFF
                found.append(value % grams.buckets)
            n += 1
    return found


def of(words: list[str], grams: Grams) -> list[list[int]]:
    start, bucket = cut(words, grams)
    return [bucket[a:b].tolist() for a, b in pairwise(start)]


PUBLISHED = {  # the buckets of the first four n-grams by fastText 0.9.2, with n = 2 … 5 and 1,000,003 buckets
    "where": [117506, 164508, 978711, 518424],
    "über": [808418, 785537, 652290, 713889],
    "日本語": [750452, 749533, 993862, 515501],
    "🎉party": [748808, 652062, 312217, 147703],
}


def made(words: list[str], grams: Grams) -> Model:
    model = initial(len(words), 4, rng=np.random.default_rng(0))
    return with_parts(model, parts(words, grams, 4), rng=np.random.default_rng(1))


def test_buckets_are_those_that_fasttext_gives() -> None:
    """Words of one to four bytes a character, as the package `fasttext` prints them."""
    found = of(list(PUBLISHED), Grams(2, 5, 1_000_003))

    assert [each[:4] for each in found] == list(PUBLISHED.values())


@given(
    words=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), max_size=5),
    grams=st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(1, 5_000)),
)
def test_ngrams_are_those_of_fasttext(words: list[str], grams: tuple[int, int, int]) -> None:
    """Any words, of any script, have the buckets of the loops over bytes, in the same order."""
    wanted = Grams(grams[0], grams[0] + grams[1], grams[2])

    assert of(words, wanted) == [slow(word, wanted) for word in words]


def test_many_words_are_cut_in_pieces() -> None:
    """Words beyond the first piece have theirs too."""
    words = [f"word{number}" for number in range(CHUNK + 2)]

    assert of(words, GRAMS)[-2:] == [slow(word, GRAMS) for word in words[-2:]]


def test_a_word_is_the_mean_of_its_rows() -> None:
    """h_w = (z_w + Σ z_g) / n_w, with an n-gram that occurs twice counted twice."""
    words, grams = ["banana", "an", "na"], Grams(2, 3, 50)
    model = made(words, grams)
    assert model.parts
    row = dict(zip(model.parts.subwords.bucket.tolist(), model.parts.table, strict=True))
    expected = [
        np.mean([own, *(row[bucket] for bucket in slow(word, grams))], axis=0)
        for word, own in zip(words, model.input, strict=True)
    ]

    np.testing.assert_allclose(model.composed().input, expected, rtol=1e-5)
    assert (model.composed().output == model.output).all()


def test_a_word_never_seen_is_the_mean_of_its_ngrams() -> None:
    """An n-gram in a bucket without a row counts as zeros; a word without any known n-gram is zeros."""
    grams = Grams(3, 3, 1_000)
    table = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    known = np.sort(np.array([slow("ab", grams)[0], slow("ab", grams)[1]], np.int32))
    found = Subwords(grams, known, table).of(["ab", "abc", "xyz", ""])

    np.testing.assert_allclose(found[0], [0.5, 0.5])
    np.testing.assert_allclose(found[1], table[known.tolist().index(slow("ab", grams)[0])] / 3)
    assert (found[2:] == 0).all()


def test_the_own_row_follows_from_the_vector() -> None:
    """own() undoes the mean, up to rounding."""
    words = ["banana", "an", "na"]
    model = made(words, GRAMS)
    assert model.parts

    np.testing.assert_allclose(model.parts.subwords.own(words, model.composed().input), model.input, atol=1e-5)


def test_sums_of_nothing_are_zero() -> None:
    """A word without n-grams, and rows that are not there, add nothing."""
    table, start = np.ones((2, 3), np.float32), np.array([0, 0, 3, 3])

    assert sums(table, start, np.array([0, -1, 1])).tolist() == [[0] * 3, [2] * 3, [0] * 3]
    assert rows_of(np.array([4, 7, 9], np.int32), np.array([4, 9], np.int32)).tolist() == [0, -1, 1]
