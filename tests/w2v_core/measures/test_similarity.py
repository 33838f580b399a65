"""Similarity, nearest words and analogies."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v_core.measures import similarity
from w2v_core.measures.similarity import EPSILON, Vectors

# Two axes, royal and female: man, woman, king, queen, and a word with no vector at all.
WORDS = ["man", "woman", "king", "queen", "?"]
ROYAL = Vectors(np.array([[1, -1, 0.5], [1, 1, 0.5], [1, -1, 2], [1, 1, 2], [0, 0, 0]]) * 3)


def ids(*words: str) -> np.ndarray:
    return np.array([WORDS.index(word) for word in words])


def table(words: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((words, 6), dtype=np.float32)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b) / float(np.sqrt((a @ a) * (b @ b)))


def test_similarity_is_the_cosine() -> None:
    """(1, −1, 1/2) and (1, −1, 2): 3 / √(9/4 · 6) = 0.8165. A word without a vector is similar to nothing."""
    found = ROYAL.similarity(ids("man", "man", "man"), ids("king", "man", "?"))

    np.testing.assert_allclose(found, [3 / np.sqrt(13.5), 1, 0])


@given(words=st.integers(2, 30), seed=st.integers(0, 99))
def test_mean_cosine_is_that_of_all_pairs(words: int, seed: int) -> None:
    """The mean cosine equals that over all pairs one by one, also with a word that has no vector."""
    vectors = table(40, seed)
    vectors[1] = 0
    one, other = np.triu_indices(words, 1)
    found = Vectors(vectors)

    np.testing.assert_allclose(found.mean_cosine(words), found.similarity(one, other).mean(), atol=1e-6)


def test_worked_analogy() -> None:
    """man : woman :: king : queen, by both rules; the words of the question are not answers."""
    question = ids("man"), ids("woman"), ids("king")

    assert ROYAL.cos_add(*question, k=1).word.tolist() == [[3]]
    assert ROYAL.cos_mul(*question, k=1).word.tolist() == [[3]]
    assert set(ROYAL.cos_add(*question, k=9).word[0].tolist()) == {3, 4}


@given(st.integers(2, 30), st.integers(0, 99), st.integers(1, 5))
def test_most_similar_equals_the_loops(words: int, seed: int, k: int) -> None:
    """Best first, without the word itself, however few questions fit a chunk."""
    rows = table(words, seed)
    asked = np.arange(words)
    with patch.object(similarity, "ELEMENTS", 2 * words):
        found = Vectors(rows).most_similar(asked, k)

    for word in asked:
        ranked = sorted((cosine(rows[word], rows[other]), other) for other in asked if other != word)[::-1][:k]
        np.testing.assert_allclose(found.score[word], [score for score, _ in ranked], atol=1e-6)
        assert found.word[word].tolist() == [other for _, other in ranked]


@given(st.integers(4, 20), st.integers(0, 99), st.integers(4, 20))
def test_analogies_equal_the_loops(words: int, seed: int, candidates: int) -> None:
    """3CosAdd and 3CosMul over the first candidates, straight from their definitions."""
    rows = table(words, seed).astype(np.float64)
    unit = rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))
    a, b, c = np.array([np.random.default_rng([seed, n]).permutation(words)[:3] for n in range(5)]).T
    answers = {
        "add": Vectors(rows).cos_add(a, b, c, 1, candidates),
        "mul": Vectors(rows).cos_mul(a, b, c, 1, candidates),
    }

    for question in range(5):
        x, y, z = a[question], b[question], c[question]
        possible = [d for d in range(min(words, candidates)) if d not in (x, y, z)]
        add = {d: cosine(rows[d], unit[y] - unit[x] + unit[z]) for d in possible}
        half = {(d, w): (1 + cosine(rows[d], rows[w])) / 2 for d in possible for w in (x, y, z)}
        mul = {d: half[d, y] * half[d, z] / (half[d, x] + EPSILON) for d in possible}
        for name, scores in (("add", add), ("mul", mul)):
            if scores and answers[name].word.shape[1]:
                assert answers[name].word[question, 0] == max(scores, key=scores.__getitem__)
                assert answers[name].score[question, 0] == pytest.approx(max(scores.values()))


@given(words=st.integers(5, 40), k=st.integers(1, 40), part=st.integers(1, 8), seed=st.integers(0, 99))
def test_equal_scores_go_by_the_row(words: int, k: int, part: int, seed: int) -> None:
    """The answers are those of a stable sort, whatever the size of the parts, also with many ties."""
    rows = np.random.default_rng(seed).integers(-1, 2, (words, 2)).astype(np.float32)
    with patch.object(similarity, "PART", part):
        found = Vectors(rows).most_similar(np.array([3]), k)
    cosines = Vectors(rows).similarity(np.full(words, 3), np.arange(words)).round(5)
    cosines[3] = -np.inf

    assert found.score[0].round(5).tolist() == np.sort(cosines)[::-1][: min(k, words - 1)].tolist()
    for better, worse in zip(found.word[0], found.word[0, 1:], strict=False):
        assert cosines[better] > cosines[worse] or better < worse


def test_ranked_cosines_do_not_depend_on_what_else_is_asked() -> None:
    """Asked alone or with 64 others, with more answers to choose from, a word has the same neighbours to the bit."""
    found = Vectors(table(3_000, 0))
    asked = np.arange(65)
    together = found.ranked(found.rows(asked), found.most_similar(asked, 30), 10)
    alone = [found.ranked(found.rows(asked[[q]]), found.most_similar(asked[[q]], 12), 10) for q in asked]

    np.testing.assert_array_equal(together.word, np.concatenate([each.word for each in alone]))
    np.testing.assert_array_equal(together.score, np.concatenate([each.score for each in alone]))
    np.testing.assert_allclose(together.score, found.most_similar(asked, 10).score, atol=1e-6)


def test_no_question_no_answer() -> None:
    """An empty batch gives an empty batch."""
    none = ROYAL.most_similar(np.empty(0, np.intp), 3)

    assert none.word.shape == (0, 3)
    assert ROYAL.ranked(np.empty((0, 3)), none, 2).word.shape == (0, 2)


def test_no_question_copies_the_table() -> None:
    """Neither creating Vectors nor asking them takes more memory than some scores; 30,000 vectors are not copied."""
    rows = np.random.default_rng(0).standard_normal((30_000, 100), dtype=np.float32)
    tracemalloc.start()
    vectors = Vectors(rows)
    vectors.most_similar(np.arange(3), 10)
    vectors.cos_add(np.arange(2), np.arange(2) + 2, np.arange(2) + 4, 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < rows.nbytes / 3
