"""How well items are recommended to sessions: the position of the item that was chosen among all that were not.

    hit rate@k   1[r ≤ k], which is also recall@k, since one item was chosen
    MRR@k        1[r ≤ k] / r
    NDCG@k       1[r ≤ k] / log₂(1 + r)

Shapes   Q questions, V items, k recommended; a question is a history of items and the item that was chosen, at
         position r from 1.
Source   Järvelin and Kekäläinen 2002 (NDCG); Barkan and Koenigstein 2016, "Item2Vec", for vectors of items.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Floats, Integers

GAINS = ("hit_rate", "mrr", "ndcg")


class Recommended(NamedTuple):
    """The answers to Q questions."""

    position: NDArray[np.intp]  # (Q,), of the chosen item, from 1
    top: NDArray[np.intp]  # (Q, k), best first; −1 where the history leaves fewer than k items


def recommend(scores: Floats, seen: tuple[Integers, Integers], chosen: Integers, k: int) -> Recommended:
    """Rank the items of each row of scores (Q, V), which are overwritten; `seen` are rows and columns of the histories.

    Items of a history are not recommended. Among equal scores the item of the lower number comes first.

    >>> found = recommend(np.array([[0.9, 0.2, 0.5, 0.5]]), (np.array([0]), np.array([0])), np.array([3]), 2)
    >>> found.position.tolist(), found.top.tolist()
    ([2], [[2, 3]])
    """
    scores[seen] = -np.inf
    own = np.take_along_axis(scores, chosen[:, None], axis=1)
    before = np.arange(scores.shape[1]) < chosen[:, None]
    position = 1 + ((scores > own) | ((scores == own) & before)).sum(axis=1)
    best = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    of_best = np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-of_best, axis=1, kind="stable")
    return Recommended(position, np.take_along_axis(np.where(np.isneginf(of_best), -1, best), order, axis=1))


def gain(kind: str, position: Floats, hit: NDArray[np.bool_]) -> Floats:
    """Return what each question counts for, one of GAINS, (Q,), of positions (Q,) and whether each is within k.

    >>> gain("ndcg", np.array([1.0, 3.0, 30.0]), np.array([True, True, False])).tolist()
    [1.0, 0.5, 0.0]
    """
    whole = {"hit_rate": np.ones_like(position), "mrr": 1 / position, "ndcg": 1 / np.log2(1 + position)}[kind]
    found: Floats = np.where(hit, whole, 0.0)
    return found
