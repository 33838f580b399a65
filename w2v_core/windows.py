"""Windows: the positions of the corpus that training sees, in order, each with its radius.

A window is one kept position. Its context is the rows at most `radius` away in the same document, so a
window costs three small columns where the (center, context) pairs it stands for would cost ten times as much.

Source   word2vec.c: frequent words are dropped before windows are formed, and each radius is uniform on 1 … window.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Windows(NamedTuple):
    """Consecutive kept positions, whole documents; three columns of equal length N."""

    document: NDArray[np.int32]
    center: NDArray[np.int32]  # word ids
    radius: NDArray[np.uint8]  # at least 1

    def __len__(self) -> int:  # type: ignore[override]  # rows, not columns
        return len(self[1])
