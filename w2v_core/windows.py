"""Windows: the positions of the corpus that training reads, in order, each with its radius.

A window is one kept position. Its context is the rows at most `radius` away in the same document. A window is stored
as three small columns; the (center, context) pairs that it stands for would take ten times the space.

    the quick brown fox jumps      at radius 1, the window of `brown` stands for the pairs
         └──── ● ────┘             (brown, quick) and (brown, fox)

Shapes   N rows of a shard, B of them selected, P pairs in those.
Source   word2vec.c: frequent words are dropped before windows are formed, and each radius is uniform on 1 … window.
         A word at distance d is therefore seen with probability (window − d + 1) / window: nearer words count more.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Windows:
    """Consecutive kept positions of whole documents, as three columns of equal length N.

    A slice is a view of the same rows.
    """

    document: NDArray[np.int32]  # numbers of the documents
    center: NDArray[np.int32]  # word ids
    radius: NDArray[np.uint8]  # 0 where the row only serves as context

    def __len__(self) -> int:
        return len(self.center)

    def __getitem__(self, rows: slice) -> "Windows":
        return Windows(self.document[rows], self.center[rows], self.radius[rows])


def draw(
    document: NDArray[np.int32],
    word: NDArray[np.int32],
    keep_probability: NDArray[np.float32],
    window: int,
    *,
    shrink: bool = True,
    shuffle: bool = False,
    rng: np.random.Generator,
) -> Windows:
    """Draw the windows of one epoch from a text of `document` and `word` columns, each (positions,).

    `keep_probability` (V,) is each word's chance to survive subsampling; `window` is the largest radius, 1 … 255, and
    without `shrink` every radius. With `shuffle`, the words of a document stand in a random order: so all words of one
    of at most `window` + 1 words meet, and in a longer one each meets at most 2 · `window` of the others, by chance.
    """
    # First thin the text: what survives moves closer together, so that windows reach further into it …
    kept = rng.random(len(word), dtype=np.float32) < keep_probability[word]
    document, word = document[kept], word[kept]
    if shuffle:  # documents lie one after another: sorting by document, then by chance, only mixes within each
        word = word[np.lexsort((rng.random(len(word)), document))]
    # … then draw one radius per survivor, which weighs near words more without a weight being stored.
    if shrink:
        return Windows(document, word, rng.integers(1, window, size=len(word), dtype=np.uint8, endpoint=True))
    return everything(document, word, window)


def everything(document: NDArray[np.int32], word: NDArray[np.int32], window: int) -> Windows:
    """Return every position at the full radius `window`: J(θ) is measured on these, the same in every run."""
    return Windows(document, word, np.full(len(word), window, np.uint8))


def pairs(windows: Windows, rows: NDArray[np.integer] | None = None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return (i, context_row), each (P,): the i-th of `rows` (B,) has context_row in its context.

    Pairs are ordered by i, then by position. Without `rows` all rows are taken, in order, and i is the row itself.

    >>> quick_brown_fox = Windows(np.zeros(3, np.int32), np.arange(3, dtype=np.int32), np.ones(3, np.uint8))
    >>> [list(map(int, column)) for column in pairs(quick_brown_fox)]
    [[0, 1, 1, 2], [1, 0, 2, 1]]
    """
    if rows is None:
        rows = np.arange(len(windows))
    # Look at every distance −m … m of every row at once, in a (B, 2m + 1) table; m is the largest radius at hand.
    radius = windows.radius[rows].astype(np.intp)
    furthest = radius.max(initial=0)
    distance = np.arange(-furthest, furthest + 1)
    candidate = rows[:, None] + distance
    # A candidate counts if it is within the radius, not the center itself, inside the shard, and in the same document.
    inside = np.clip(candidate, 0, max(len(windows) - 1, 0))
    seen = (abs(distance) <= radius[:, None]) & (distance != 0) & (candidate == inside)
    seen &= windows.document[inside] == windows.document[rows][:, None]
    row, column = np.nonzero(seen)
    return row, candidate[row, column].astype(np.intp)
