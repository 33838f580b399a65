"""Slow oracles: the equations as nested loops, one number at a time; and small random corpora."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from w2v_core.objectives.huffman import Paths
from w2v_core.training import Settings
from w2v_core.windows import Windows

COMBINATIONS = list(itertools.product(["skip_gram", "cbow"], ["softmax", "negative_sampling", "hierarchical_softmax"]))

SETTINGS = Settings(
    architecture="skip_gram",
    objective="negative_sampling",
    vector_size=4,
    window=3,
    epochs=2,
    batch_size=8,
    learning_rate=0.1,
    min_learning_rate=0.001,
    schedule="linear",
    warmup=0.0,
    negatives=3,
    noise_exponent=0.75,
    shared_negatives=0,
    block_length=8,
    damping=20.0,
    combination="mean",
    seed=1,
)


def settings(architecture: str, objective: str, **others: object) -> Settings:
    return replace(SETTINGS, architecture=architecture, objective=objective, **others)  # type: ignore[arg-type]


class Corpus(NamedTuple):
    windows: Windows
    counts: NDArray[np.int64]


def corpus(documents: list[list[int]], words: int, window: int, seed: int) -> Corpus:
    """Return every position of the documents with a random radius."""
    word = np.array([word for document in documents for word in document], np.int32)
    number = np.repeat(np.arange(len(documents), dtype=np.int32), [len(document) for document in documents])
    radius = np.random.default_rng(seed).integers(1, window + 1, len(word), dtype=np.uint8)
    return Corpus(Windows(number, word, radius), np.bincount(word, minlength=words).astype(np.int64))


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    """Empty documents, documents shorter than a window, words that repeat, one-word vocabularies."""
    words = draw(st.integers(1, 7))
    documents = draw(st.lists(st.lists(st.integers(0, words - 1), max_size=9), max_size=5))
    return corpus(documents, words, draw(st.integers(1, 4)), draw(st.integers(0, 99)))


def random_corpus(words: int, length: int, seed: int = 0) -> Corpus:
    """Return documents of 20 words, in which an even word is mostly followed by the next odd one."""
    rng = np.random.default_rng(seed)
    word = (words * rng.random(length) ** 2).astype(int)
    word[1::2] = np.where(rng.random(length // 2) < 0.8, word[::2] ^ 1, word[1::2]) % words
    return corpus([list(map(int, word[start : start + 20])) for start in range(0, length, 20)], words, 3, seed)


def context(windows: Windows, i: int) -> list[int]:
    """Return the rows in the window of row i."""
    return [
        j
        for j in range(len(windows))
        if j != i and abs(i - j) <= windows.radius[i] and windows.document[i] == windows.document[j]
    ]


def problems(
    architecture: str, combination: str, windows: Windows, rows: NDArray[np.intp]
) -> Iterator[tuple[list[tuple[int, float]], int]]:
    """Return each hidden vector as weighted words, with the word to predict from it."""
    for i in rows:
        seen = [int(windows.center[j]) for j in context(windows, int(i))]
        center = int(windows.center[i])
        if architecture == "skip_gram":
            yield from (([(center, 1.0)], word) for word in seen)
        elif seen:
            yield [(word, 1 / len(seen) if combination == "mean" else 1.0) for word in seen], center


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def score_terms(
    objective: str, h: NDArray[np.float64], output: NDArray[np.float64], target: int, noise: list[int], paths: Paths
) -> tuple[float, list[tuple[int, float]]]:
    """Return the loss of one pair, and ∂loss/∂(u·h) for each output vector u in it."""
    if objective == "softmax":
        z = sum(math.exp(u @ h) for u in output)
        p = [math.exp(u @ h) / z for u in output]
        return -math.log(p[target]), [(w, p[w] - (w == target)) for w in range(len(output))]
    if objective == "negative_sampling":
        decisions = [(target, True)] + [(word, False) for word in noise if word != target]
    else:
        begin, end = paths.start[target], paths.start[target + 1]
        decisions = [(int(paths.node[k]), not paths.code[k]) for k in range(begin, end)]
    loss = -sum(math.log(sigmoid(output[w] @ h if yes else -output[w] @ h)) for w, yes in decisions)
    return loss, [(w, sigmoid(output[w] @ h) - yes) for w, yes in decisions]


def loss_and_gradient(
    settings: Settings,
    theta: NDArray[np.float64],
    windows: Windows,
    rows: NDArray[np.intp],
    noise: NDArray[np.int32],
    paths: Paths,
) -> tuple[list[float], NDArray[np.float64]]:
    """Return the loss of each pair, and the gradient (V, 2, D) of their sum."""
    losses, d_theta = [], np.zeros_like(theta)
    asked = problems(settings.architecture, settings.combination, windows, rows)
    for pair, (mixture, target) in enumerate(asked):
        h = sum((weight * theta[word, 0] for word, weight in mixture), np.zeros(theta.shape[2]))
        loss, d_scores = score_terms(settings.objective, h, theta[:, 1], target, list(noise[pair]), paths)
        losses.append(loss)
        for w, d_score in d_scores:
            d_theta[w, 1] += d_score * h
            for word, weight in mixture:
                d_theta[word, 0] += weight * d_score * theta[w, 1]
    return losses, d_theta
