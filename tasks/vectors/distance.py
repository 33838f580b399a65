"""Measure how far apart two runs ended: the difference of their vectors, and the overlap of nearest neighbours."""

from typing import NamedTuple

import numpy as np

from tasks.vectors.tables import WordVectors
from w2v_core.measures import similarity

FREQUENT = 1_000  # words whose neighbours are compared
NEIGHBORS = 10


class Distance(NamedTuple):
    """How far two tables of vectors are apart."""

    words_in_one_only: int
    largest_difference: float | None  # of a component, over the words in both; None if the sizes differ
    largest_component: float  # of the first run, as a scale
    frequent_words: int
    neighbor_overlap: float | None  # mean share of common nearest NEIGHBORS; None if no word is in both

    def __str__(self) -> str:
        parts = []
        if self.words_in_one_only:
            parts.append(f"{self.words_in_one_only:,} words are in only one of them")
        if self.largest_difference is not None:
            parts.append(
                f"the input vectors differ by at most {self.largest_difference:.2g} in a component "
                f"(the largest is {self.largest_component:.2g})"
            )
        if self.neighbor_overlap is not None:
            parts.append(
                f"the {NEIGHBORS} nearest neighbours of the {self.frequent_words:,} most frequent words "
                f"overlap by {self.neighbor_overlap:.2%}"
            )
        return "; ".join(parts)


def distance(before: WordVectors, now: WordVectors) -> Distance:
    """Return the distance between the vectors of two runs."""
    row = {word: number for number, word in enumerate(now.words)}
    pairs = np.array([(old, row[word]) for old, word in enumerate(before.words) if word in row], np.intp).reshape(-1, 2)
    largest = None
    if before.table.shape[1] == now.table.shape[1] and len(pairs):
        largest = float(np.abs(before.table[pairs[:, 0]] - now.table[pairs[:, 1]]).max())
    frequent = pairs[:FREQUENT]
    return Distance(
        len(before.words) + len(now.words) - 2 * len(pairs),
        largest,
        float(np.abs(before.table).max()),
        len(frequent),
        _overlap(_neighbors(before, frequent[:, 0]), _neighbors(now, frequent[:, 1])) if len(frequent) else None,
    )


def _neighbors(vectors: WordVectors, rows: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> list[set[str]]:
    near = similarity.Vectors(vectors.table).most_similar(rows, NEIGHBORS).word
    return [{vectors.words[word] for word in words} for words in near]


def _overlap(before: list[set[str]], now: list[set[str]]) -> float:
    shares = [len(a & b) / max(len(a), len(b), 1) for a, b in zip(before, now, strict=True)]
    return float(np.mean(shares))
