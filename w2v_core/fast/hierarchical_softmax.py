"""Hierarchical softmax on blocks (blocks.py), for skip-gram.

The questions of a pair are the turns on the path of its true word: does it go left? (objectives.hierarchical_softmax).
All paths begin near the root. So the candidates of a block are first the UPPER nodes that are on most paths, shared by
all windows; then, for each word around the block, the rest of its path, a row for each step:

    upper nodes    w⁺ = L·reach    w⁻ = R·reach       L, R (UPPER, T + 2m): 1 where a word's path turns left, right
    other nodes    w⁺ or w⁻ = reach of the word       a step turns the same way for all windows

with reach (T + 2m, T) 1 where a word is in a window's context. For CBOW the rest of a path would serve a single window
of the block and waste nearly all of the product, so CBOW takes the general way (batches.py).

Blocks have paths of different lengths; the shorter ones are filled up with questions of weight 0.

Shapes   as in blocks.py; UPPER nodes shared by a block, at most.
Source   Morin & Bengio 2005 (AISTATS); Mikolov et al. 2013b (arXiv:1310.4546), eq. 3.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.fast.adding import Floats
from w2v_core.fast.blocks import Batch, Blocks, band, front, softplus
from w2v_core.fast.shard import Integers, Shard
from w2v_core.model import Model
from w2v_core.objectives import huffman
from w2v_core.objectives.huffman import Paths
from w2v_core.training import Settings

UPPER = 64  # nodes; with fewer there are more rows to gather, with more there are more questions of weight 0


def lanes(
    settings: Settings, model: Model, counts: NDArray[np.int64], frozen: NDArray[np.bool_]
) -> tuple[Blocks, Blocks] | None:
    """Return two workspaces for batches in turn; None for CBOW, which has no fast path. counts and frozen are (V,)."""
    if settings.architecture != "skip_gram":
        return None
    paths = huffman.paths(counts)
    return TreeBlocks(settings, model, frozen, paths), TreeBlocks(settings, model, frozen, paths)


class TreeBlocks(Blocks):
    """The questions of a Huffman tree; see the head of this file."""

    random_order = True  # all windows move the same upper nodes: consecutive ones, of one topic, would all pull one way

    def __init__(self, settings: Settings, model: Model, frozen: NDArray[np.bool_], paths: Paths) -> None:
        """Allocate the workspace for the tree with these paths; the input vectors of `frozen` words (V,) stay."""
        # Split every path: its upper part becomes a row of turns (V, UPPER), its lower part a ragged list of steps.
        nodes = len(frozen) - 1
        upper = max(nodes - UPPER, 0)  # nodes are numbered in the order they were joined: the upper ones come last
        word, low = np.repeat(np.arange(len(frozen)), np.diff(paths.start)), paths.node < upper
        self.turn = np.zeros((len(frozen), nodes - upper), np.int8)  # 1 left, −1 right, 0 not on the path
        self.turn[word[~low], paths.node[~low] - upper] = 1 - 2 * paths.code[~low].astype(np.int8)
        # Node n has the output vector of row n: 2n + 1 of the flat table.
        self.upper_row = 2 * np.arange(upper, nodes, dtype=np.int32) + 1
        self.low_row = 2 * paths.node[low].astype(np.int32) + 1
        self.low_code = paths.code[low]
        self.low_length = np.bincount(word[low], minlength=len(frozen))
        self.low_start = np.cumsum(self.low_length) - self.low_length

        fixed = np.stack([frozen, np.zeros_like(frozen)], axis=1).ravel()  # nodes are not words
        around = settings.block_length + 2 * settings.window
        super().__init__(settings, model, fixed, nodes - upper + around * int(self.low_length.max(initial=0)))
        # A step's w is the line of its word in `reach`, and w⁺ the same where it turns left; else a line of zeros. So
        # both are looked up by number, without arithmetic.
        self.lines = np.zeros((self.blocks, around + 1, self.length), np.float32)
        self.reach = self.lines[:, :around]
        self.band = band(self.reach, settings.window)
        rows = self._place.size
        self._row, self._terms = np.zeros(rows, np.intp), np.zeros(rows, np.float32)
        self._weight, self._yes, self._term = np.zeros((3, self._scores.size), np.float32)

    def draw(self, sets: int, *, rng: np.random.Generator) -> Integers:
        """Return no noise words, (sets, 0): the softmax is exact."""
        return np.empty((sets, 0), np.int32)

    def begin(self, stack: Shard, noise: Integers) -> None:
        """Keep the blocks of a round: their paths, as rows, would take too much room."""
        self.stack = stack

    def prepare(self, batch: Batch) -> int:
        """Lay out the upper nodes and the lower steps of all words around; return the number of pairs."""
        around, upper, stack = self.around, len(self.upper_row), self.stack.blocks(batch.at)
        lines, reach, near = self.lines[: self.used], self.reach[: self.used], stack.near()
        self.band[:, : self.used] = near

        # List the lower steps of all words around, block by block, word by word: the ragged gather of huffman.Paths.of.
        word = stack.row[:, self.sources :] >> 1  # (B, T + 2m)
        length = self.low_length[word].ravel()
        size = length.reshape(word.shape).sum(axis=1)
        before = np.cumsum(length) - length
        step = np.arange(size.sum()) + np.repeat(self.low_start[word].ravel() - before, length)
        line = np.repeat(np.arange(lines[..., 0].size).reshape(lines.shape[:2])[:, :around].ravel(), length)

        # Rows: the sources, the upper nodes, then each block's steps; a block with fewer is filled up with any row, 1.
        candidates = upper + int(size.max())
        taken = np.arange(upper, candidates) < upper + size[:, None]
        self.row = front(self._row, (self.used, self.sources + candidates))
        self.row[:, : self.sources] = stack.row[:, : self.sources]
        row = self.row[:, self.sources :]
        row[:, :upper] = self.upper_row
        row[:, upper:] = 1
        row[:, upper:][taken] = self.low_row[step]

        # Lower steps: w = reach of their word; w⁺ is the same where it turns left, and 0 where right.
        shape = (self.used, candidates, self.length)
        self.weight, self.yes = front(self._weight, shape), front(self._yes, shape)
        place = np.full(row.shape, around)  # a line of zeros
        place[:, upper:][taken] = line
        lines.reshape(-1, self.length).take(place, axis=0, out=self.weight, mode="clip")
        place[:, upper:][taken] = np.where(self.low_code[step], around, line)
        lines.reshape(-1, self.length).take(place, axis=0, out=self.yes, mode="clip")

        # Upper nodes: several words around share one, so their turns are summed: L·reach and (L + R)·reach.
        turn = self.turn[word].transpose(0, 2, 1)
        np.matmul((turn > 0).astype(np.float32), reach, out=self.yes[:, :upper])
        np.matmul((turn != 0).astype(np.float32), reach, out=self.weight[:, :upper])

        # A candidate takes part in the questions of its row of weights, a hidden vector in those of its column.
        self.terms = front(self._terms, self.row.shape)
        np.matmul(self.weight, np.ones(self.length, np.float32), out=self.terms[:, self.sources :])
        np.matmul(np.ones(candidates, np.float32), self.weight, out=self.terms[:, : self.sources])
        return int(np.count_nonzero(near))

    def answer(self, scores: Floats) -> None:
        """Replace S by w · σ(S) − w⁺, in place."""
        # w · σ(s) = w / (1 + e^−s).
        np.exp(np.negative(scores, out=scores), out=scores)
        scores += 1
        np.divide(self.weight, scores, out=scores)
        scores -= self.yes

    def loss_of(self, scores: Floats) -> float:
        """Return Σ w · log(1 + exp(s)) − w⁺ · s, in nats."""
        # log σ(s) = s − log(1 + e^s) and log σ(−s) = −log(1 + e^s): one softplus serves both answers.
        term = front(self._term, scores.shape)
        true = np.multiply(self.yes, scores, out=term).sum(dtype=np.float64)
        softplus(scores.copy(), term)
        term *= self.weight
        return float(term.sum(dtype=np.float64) - true)
