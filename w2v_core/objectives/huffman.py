"""The Huffman tree over the words: the more frequent a word, the shorter its path from the root.

    counts 4 2 1 1             ●2                 words 0 … 3, inner nodes 0 … 2, the root is the last one
                            0 ╱  ╲ 1
                             w0   ●1
                               0 ╱  ╲ 1           word 2 has the path  node 2, node 1, node 0
                                w1   ●0                   and the code      1,      1,      0
                                  0 ╱  ╲ 1
                                   w2   w3

Shapes   V words, V − 1 inner nodes; paths are ragged and lie one after the other, L entries in all.
Source   Huffman 1952, "A method for the construction of minimum-redundancy codes", with two queues as in word2vec.c.
         Ties take a word before a node, which keeps the tree shallow.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Integers


class Paths(NamedTuple):
    """The paths of all words: word w's, from the root down, is node[start[w]:start[w + 1]], with the turns code[…]."""

    start: NDArray[np.intp]  # (V + 1,)
    node: NDArray[np.intp]  # (L,)
    code: NDArray[np.bool_]  # (L,) 0 is left, 1 is right

    def of(self, words: Integers) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
        """Return the paths of `words` one after the other, as columns: index into `words`, node, code."""
        # Ragged gather: repeat each index as often as its path is long, and count up from where the path starts.
        length = self.start[words + 1] - self.start[words]
        owner = np.repeat(np.arange(len(words)), length)
        first = np.cumsum(length) - length  # where each path begins in the answer
        entry = np.arange(len(owner)) - first[owner] + self.start[words][owner]
        return owner, self.node[entry], self.code[entry]


def paths(counts: NDArray[np.int64]) -> Paths:
    """Return the paths of words with these counts (V,); a word that was never counted counts as one."""
    parent, code = _tree(np.maximum(counts, 1))
    words = len(counts)
    # All words climb to the root together, one node a round; those that have arrived leave. So there are as many rounds
    # as the deepest path has turns, instead of a loop over words.
    word = at = np.arange(words)
    steps = [(word[:0], parent[:0], code[:0])]  # a single word has no steps
    while (below := at != 2 * words - 2).any():
        word, at = word[below], at[below]
        steps.append((word, parent[at] - words, code[at]))
        at = parent[at]
    # The rounds climbed; reversed, they descend from the root. A stable sort by word keeps that order in each path.
    owner, node, turn = (np.concatenate(column) for column in zip(*reversed(steps), strict=True))
    order = np.argsort(owner, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=words))])
    return Paths(start, node[order], turn[order])


def _tree(counts: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return parent and turn, each (2V − 1,), of the V words and, numbered from V on, the V − 1 inner nodes."""
    size = len(counts)
    parent, code = [0] * (2 * size - 1), [False] * (2 * size - 1)
    # Both queues are sorted: the words by count, and inner nodes because each is at least as heavy as the one before.
    # The smallest tree is therefore at the head of one of them, and no heap is needed.
    words = deque((int(counts[word]), word) for word in np.argsort(counts, kind="stable").tolist())
    nodes: deque[tuple[int, int]] = deque()

    def smallest() -> tuple[int, int]:
        """Take the tree with the smallest count; of equals a word before a node."""
        return (words if not nodes or (words and words[0][0] <= nodes[0][0]) else nodes).popleft()

    # Huffman's step, V − 1 times: join the two smallest trees under a new node, the second one to the right.
    for node in range(size, 2 * size - 1):
        left, right = smallest(), smallest()
        parent[left[1]] = parent[right[1]] = node
        code[right[1]] = True
        nodes.append((left[0] + right[0], node))
    return np.array(parent, np.intp), np.array(code, np.bool_)
