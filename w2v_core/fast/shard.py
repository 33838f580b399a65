"""A shard of windows as a stack of blocks: T consecutive windows, and the words around them.

Shapes   T windows in a block, m the largest radius.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from w2v_core.windows import Windows

Integers = NDArray[np.int32]


class Shard(NamedTuple):
    """A shard as a stack of blocks. Views of what lies around overlap in memory; padding is in no context."""

    row: Integers  # (blocks, 2T + 2m) of the table: the sources, then the words to be predicted
    document: Integers  # (blocks, T)
    near_document: Integers  # (2m + 1, blocks, T) at distance −m … m from each window
    radius: NDArray[np.uint8]  # (blocks, T)
    distance: NDArray[np.uint16]  # (2m + 1, 1, 1), beyond every radius for the window itself

    @classmethod
    def of(cls, windows: Windows, length: int, reach: int, skip_gram: bool) -> "Shard":
        """Cut a shard into blocks of T = `length` windows, each with `reach` = m words on both sides."""
        blocks = -(-len(windows) // length)
        fill = blocks * length - len(windows)
        inside = slice(reach, reach + blocks * length)
        # Fill up the last block and both ends; document −1 matches no document, so padding is in no context.
        row = 2 * np.pad(windows.center, (reach, fill + reach))
        document = np.pad(windows.document, (reach, fill + reach), constant_values=-1)
        # Skip-gram predicts the near words from the word itself, CBOW the word itself from the near words. Sources are
        # input vectors, rows 2w; the words to be predicted are output vectors, rows 2w + 1.
        itself = (row + (not skip_gram))[inside].reshape(blocks, length)
        near = sliding_window_view(row + skip_gram, length + 2 * reach)[::length]  # block b begins at b·T
        distance = abs(np.arange(-reach, reach + 1)).astype(np.uint16)
        distance[reach] = 256  # a word is not in its own context: radii end at 255
        return cls(
            np.hstack([itself, near] if skip_gram else [near, itself]),
            document[inside].reshape(blocks, length),
            sliding_window_view(document, blocks * length).reshape(-1, blocks, length),
            np.pad(windows.radius, (0, fill)).reshape(blocks, length),
            distance[:, None, None],
        )

    def __len__(self) -> int:  # blocks, not columns
        return len(self[0])

    def near(self) -> NDArray[np.bool_]:
        """Return (2m + 1, blocks, T): whether the word at distance −m … m from a window is in its context."""
        # It is if it lies in the same document, within the radius; the window itself is beyond every radius.
        near: NDArray[np.bool_] = self.near_document == self.document
        near &= self.distance <= self.radius
        return near

    def blocks(self, at: slice | NDArray[np.int64]) -> "Shard":
        """Return the stack of the blocks at these numbers."""
        return Shard(self.row[at], self.document[at], self.near_document[:, at], self.radius[at], self.distance)
