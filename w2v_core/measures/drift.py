"""Words that moved between periods, told from those that only seem to: trainings differ by chance, too.

    R_i   = the rotations that bring all spaces as near to their mean as possible           (generalized Procrustes)
    d_ij  = 1 − cos(R_i x, R_j x)                            a word x in two spaces, on common axes
    shift = mean d_ij between two periods − mean d_ij within them

Two kinds of chance make every word move a little, and a word has moved only if it is beyond both.

1. Trainings of one text with different seeds differ. If nothing changed, it does not matter which trainings belong to
   which period: each other split of the same spaces into two groups shows the largest shift that the seeds alone give
   any word (n splits in all, so a word is beyond them in one of n cases at most, however many words are looked at).
2. Two texts of the same language are two samples of it, so all words move, rare ones farther. The logarithm of a word's
   distance is compared with those of words as frequent as it is: z, by their median and median absolute deviation. Most
   words keep their meaning, so that is what an unchanged word looks like. Beyond it is a z that, in a normal
   distribution, one word of V has in one of 20 cases (Bonferroni).

Shapes   V shared words, D components; a period is a list of spaces (V, D), one for each seed.
Source   Hamilton, Leskovec & Jurafsky 2016 (ACL) for the aligned distance; Gower 1975 for many spaces; Dubossarsky,
         Grossman & Weinshall 2017 (EMNLP) and Shoemark et al. 2019 (EMNLP) for the need of a control; Westfall & Young
         1993 for the largest statistic over all splits.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from w2v_core.arrays import Floats
from w2v_core.measures.procrustes import rotation, turned
from w2v_core.measures.similarity import Vectors

ROUNDS = 2  # of rotating all spaces to their mean; more change nothing that can be seen
BAND = 250  # words that count as equally frequent
SURE = 0.05
MAD_OF_NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
TINY = 1e-6
SEEDS = 5  # of a period whose splits are looked at: 126 of them


class Shift(NamedTuple):
    """How much farther apart two periods are than the trainings of one period."""

    value: Floats  # (V,)
    chance: float | None  # the largest value of any word in any other split; None without one
    splits: int  # all splits, this one included
    z: Floats  # (V,) of the distance among those of words of like frequency
    limit: float  # of z

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Return which words are beyond both kinds of chance, (V,); none without several seeds."""
        least = np.inf if self.chance is None else self.chance
        found: NDArray[np.bool_] = (self.value > least) & (self.z > self.limit)
        return found


def together(tables: Sequence[Floats]) -> list[Floats]:
    """Return the rotation (D, D) of each space to common axes; all tables have the same words, in the same order."""
    found = [rotation(table, tables[0]) for table in tables]
    for _ in range(ROUNDS):
        mean = np.mean([turned(Vectors(table).unit, by) for table, by in zip(tables, found, strict=True)], axis=0)
        found = [rotation(table, mean) for table in tables]
    return found


def distances(first: Sequence[Floats], other: Sequence[Floats]) -> Floats:
    """Return 1 − cosine of the unit rows of each pair of spaces of two periods, (pairs, V)."""
    return np.stack([1 - np.einsum("vd,vd->v", a, b) for a in first for b in other])


def shift(first: Sequence[Floats], other: Sequence[Floats]) -> Shift:
    """Compare two periods by their spaces of unit rows on common axes; the words are in order of their frequency.

    >>> a, b = np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[::-1]
    >>> found = shift([a, a, a], [b, b, b])
    >>> found.value.tolist(), found.splits, found.chance < 1
    ([1.0, 1.0], 10, True)
    """
    spaces = [*first[:SEEDS], *other[:SEEDS]]
    size, every = len(first[:SEEDS]), range(len(spaces))
    apart = {(i, j): distances([spaces[i]], [spaces[j]])[0] for i, j in combinations(every, 2)}

    def of(group: tuple[int, ...]) -> Floats:
        rest = [each for each in every if each not in group]
        between = [apart[min(i, j), max(i, j)] for i in group for j in rest]
        within = [apart[pair] for part in (group, rest) for pair in combinations(part, 2)]
        found: Floats = np.mean(between, axis=0) - (np.mean(within, axis=0) if within else 0)
        return found

    ours, *others = (group for group in combinations(every, size) if 0 in group or 2 * size != len(spaces))
    several = min(size, len(spaces) - size) > 1
    chance = max((float(of(group).max()) for group in others), default=None) if several else None
    now = np.mean(distances(first, other), axis=0)
    limit = float(norm.isf(SURE / len(now)))
    return Shift(of(ours), chance, 1 + len(others) if several else 1, outlying(now), limit)


def outlying(distance: Floats) -> Floats:
    """Return how far each word's distance is beyond those of words as frequent, (V,): a robust z of its logarithm.

    >>> outlying(np.array([0.1, 0.11, 0.1, 0.09, 0.1, 0.11, 0.09, 0.8])).round(1).tolist()[-1] > 10
    True
    """
    found = np.zeros(len(distance))
    for band in np.array_split(np.arange(len(distance)), max(1, len(distance) // BAND)):
        value = np.log(np.maximum(distance[band], TINY))
        middle = np.median(value)
        spread = MAD_OF_NORMAL * np.median(np.abs(value - middle))
        found[band] = (value - middle) / max(spread, TINY)
    return found
