"""The Huffman tree, and the probabilities of hierarchical softmax."""

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2v_core.objectives import huffman
from w2v_core.objectives.hierarchical_softmax import HierarchicalSoftmax

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=40).map(np.array)


def test_worked_example() -> None:
    """Counts 4 2 1 1, drawn in the module: words 2 and 3 meet in node 0, word 1 joins in node 1, word 0 in node 2."""
    paths = huffman.paths(np.array([4, 2, 1, 1]))
    owner, node, code = paths.of(np.array([2, 0, 1]))

    assert owner.tolist() == [0, 0, 0, 1, 2, 2]
    assert node.tolist() == [2, 1, 0, 2, 2, 1]
    assert code.tolist() == [True, True, False, False, True, False]


@given(COUNTS)
def test_no_tree_is_shorter(counts: np.ndarray) -> None:
    """Σ count · length equals the cost of merging the two smallest again and again with a heap."""
    counts = np.maximum(counts, 1)
    heap, cost = sorted(map(int, counts)), 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)

    assert int(counts @ np.diff(huffman.paths(counts).start)) == cost


@given(COUNTS)
def test_codes_tell_words_apart(counts: np.ndarray) -> None:
    """No code begins another, the tree is full (Σ 2^−length = 1), its nodes are 0 … V − 2, paths begin at the root."""
    paths = huffman.paths(counts)
    codes = ["".join("01"[int(bit)] for bit in paths.of(np.array([word]))[2]) for word in range(len(counts))]

    assert sum(2.0 ** -len(code) for code in codes) == pytest.approx(1)
    assert not any(a != b and b.startswith(a) for a in codes for b in codes)
    assert set(paths.node.tolist()) == set(range(len(counts) - 1))
    assert all(paths.node[start] == len(counts) - 2 for start in paths.start[:-1] if len(counts) > 1)


@given(COUNTS, st.integers(0, 99))
def test_probabilities_sum_to_one(counts: np.ndarray, seed: int) -> None:
    """Probabilities sum to one over all words, for any hidden vector and any inner nodes."""
    rng = np.random.default_rng(seed)
    words = np.arange(len(counts))
    hidden, output = rng.standard_normal((1, 5)), rng.standard_normal((len(counts), 5))
    loss = HierarchicalSoftmax(counts).loss(hidden, np.zeros_like(words), words, output)

    assert np.exp(-loss).sum() == pytest.approx(1, rel=1e-12)
