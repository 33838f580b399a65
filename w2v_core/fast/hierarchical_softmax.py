"""Hierarchical softmax on blocks (blocks.py), for skip-gram.

The questions of a pair are the turns on the path of its true word: is it to the left? (hierarchical_softmax.py). All
paths begin near the root, so the candidates of a block are first the UPPER nodes that are on most paths, for all
windows; then, for each word around the block, the rest of its path, a row for each step:

    upper nodes    w⁺ = L·reach    w⁻ = R·reach       L, R (UPPER, T + 2m): who turns left there, and who turns right
    the others     w⁺ or w⁻ = reach of the word       its turn is the same for all windows

with reach (T + 2m, T) 1 where a word is in a window's context. For CBOW the rest of a path would matter to one window
of the block alone: that would waste nearly all of the product, and goes by the general way (batches.py).

Blocks have paths of different lengths: the shorter ones are filled up with questions that weigh nothing.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.fast.blocks import Batch, Blocks, Floats, Integers, band, softplus
from w2v_core.model import Model
from w2v_core.objectives import huffman
from w2v_core.objectives.huffman import Paths
from w2v_core.training import Settings

UPPER = 64  # nodes; fewer make more rows, more make more questions that nobody asks


def lanes(
    settings: Settings, model: Model, counts: NDArray[np.int64], frozen: NDArray[np.bool_]
) -> tuple[Blocks, Blocks] | None:
    """Two alike; None for CBOW."""
    if settings.architecture != "skip_gram":
        return None
    paths = huffman.paths(counts)
    return TreeBlocks(settings, model, frozen, paths), TreeBlocks(settings, model, frozen, paths)


class TreeBlocks(Blocks):
    random_order = True  # all windows turn the same upper nodes: those of one topic would pull them its way

    def __init__(self, settings: Settings, model: Model, frozen: NDArray[np.bool_], paths: Paths) -> None:
        nodes = len(frozen) - 1
        upper = max(nodes - UPPER, 0)  # nodes are numbered as they were joined: the upper ones come last
        word, low = np.repeat(np.arange(len(frozen)), np.diff(paths.start)), paths.node < upper
        self.turn = np.zeros((len(frozen), nodes - upper), np.int8)  # 1 left, −1 right, 0 not on the path
        self.turn[word[~low], paths.node[~low] - upper] = 1 - 2 * paths.code[~low].astype(np.int8)
        self.upper_row = 2 * np.arange(upper, nodes, dtype=np.int32) + 1
        self.low_row = 2 * paths.node[low].astype(np.int32) + 1
        self.low_code = paths.code[low]
        self.low_length = np.bincount(word[low], minlength=len(frozen))
        self.low_start = np.cumsum(self.low_length) - self.low_length

        fixed = np.stack([frozen, np.zeros_like(frozen)], axis=1).ravel()  # nodes are not words
        around = settings.block_length + 2 * settings.window
        super().__init__(settings, model, fixed, nodes - upper + around * int(self.low_length.max(initial=0)))
        # who is in whose context, its negative, and a line of zeros
        self.lines = np.zeros((self.blocks, 2 * around + 1, self.length), np.float32)
        self.reach = self.lines[:, :around]
        self.band = band(self.reach, settings.window)
        self._surplus = np.zeros_like(self._weight)  # w⁺ − w⁻

    def draw(self, sets: int, *, rng: np.random.Generator) -> Integers:
        """No noise: the softmax is exact."""
        return np.empty((sets, 0), np.int32)

    def weigh(self, batch: Batch, near: NDArray[np.bool_]) -> int:
        around, upper = self.around, len(self.upper_row)
        lines, reach = self.lines[: self.used], self.reach[: self.used]
        self.band[:, : self.used] = near
        np.negative(reach, out=lines[:, around:-1])

        # the steps of all paths, block by block and word by word
        word = batch.stack.row[:, self.sources :] >> 1  # (B, T + 2m)
        length = self.low_length[word].ravel()
        size = length.reshape(word.shape).sum(axis=1)
        before = np.cumsum(length) - length
        step = np.arange(size.sum()) + np.repeat(self.low_start[word].ravel() - before, length)
        line = np.repeat(np.arange(lines[..., 0].size).reshape(lines.shape[:2])[:, :around].ravel(), length)

        self.lay_out(upper + int(size.max()))
        taken = np.arange(upper, self.weight.shape[1]) < upper + size[:, None]
        self.row[:, : self.sources] = batch.stack.row[:, : self.sources]
        row = self.row[:, self.sources :]
        row[:, :upper] = self.upper_row
        row[:, upper:] = 1
        row[:, upper:][taken] = self.low_row[step]

        self.surplus = self._surplus[: self.weight.size].reshape(self.weight.shape)
        place = np.full(row.shape, 2 * around)  # a line of zeros
        place[:, upper:][taken] = line
        lines.reshape(-1, self.length).take(place, axis=0, out=self.weight, mode="clip")
        place[:, upper:][taken] += around * self.low_code[step]
        lines.reshape(-1, self.length).take(place, axis=0, out=self.surplus, mode="clip")

        turn = self.turn[word].astype(np.float32).transpose(0, 2, 1)
        np.matmul(turn, reach, out=self.surplus[:, :upper])
        np.matmul(abs(turn), reach, out=self.weight[:, :upper])
        return int(np.count_nonzero(near))

    def answer(self, tanh: Floats) -> None:
        tanh *= self.weight
        tanh -= self.surplus

    def loss_of(self, scores: Floats, terms: Floats) -> float:
        """Σ w · log(1 + exp(s)) − w⁺ · s."""
        np.add(self.weight, self.surplus, out=terms)  # 2 · w⁺
        terms *= scores
        true = terms.sum(dtype=np.float64) / 2
        softplus(scores, terms)
        terms *= self.weight
        return float(terms.sum(dtype=np.float64) - true)
