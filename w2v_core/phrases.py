"""Phrases: words that follow each other far more often than their frequencies let expect, such as `new york`.

    word2phrase   score(a, b) = (n_ab − δ) · T / (n_a · n_b)                  phrases score above a threshold
    NPMI          score(a, b) = ln(p_ab / (p_a · p_b)) / −ln p_ab             −1 … 1

n_ab counts b after a, n_a and n_b the words, T all words; p = n / T; δ is the least count of a phrase. A connector,
such as `of`, is no end of a phrase: `bank of america` is the pair (bank, america) with `of` between. In each row, pairs
are joined from the left, and no word twice. Once joined, a phrase is a word: another pass finds phrases of phrases.

Shapes   T words of a text as ids below V, in rows; P pairs.
Source   Mikolov et al. 2013b (arXiv:1310.4546), section 4, and the factor T of its program word2phrase; NPMI: Bouma
         2009 (GSCL).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Integers

BETWEEN = 4  # connectors between two words, at most
Mask = NDArray[np.bool_]
Scores = NDArray[np.float64]


class Pairs(NamedTuple):
    """The neighbouring words of a text that could be phrases, in its order."""

    first: NDArray[np.intp]  # (P,) positions of the first words
    last: NDArray[np.intp]  # (P,) and of the last words
    key: NDArray[np.int64]  # (P,) equal for equal words with equal connectors between; −1 with an unknown word


class Alphabet:
    """The numbering of pairs: an int64 from the ids of two words and of the connectors between them."""

    def __init__(self, connector: Mask) -> None:
        """Number pairs of V words; `connector` (V,) marks those that are no ends of phrases.

        Raises OverflowError if the numbers of so many words and connectors do not fit.
        """
        self.words = len(connector)
        connector = np.append(connector, False)
        self._digit = np.where(connector, np.cumsum(connector), 0)  # 1 … C of connectors, 0 of other words
        self._base = int(connector.sum()) + 1
        if self.words**2 * self._base**BETWEEN >= 2**63:
            raise OverflowError(f"{self.words:,} words and {self._base - 1} connectors")

    def pairs(self, words: Integers, row: Integers) -> Pairs:
        """Return the pairs of a text of ids (T,), −1 for words without one, in the rows (T,), which rise."""
        content = np.flatnonzero(self._digit[words] == 0)
        first, last = content[:-1], content[1:]
        near = (row[first] == row[last]) & (last - first <= BETWEEN + 1)
        first, last = first[near], last[near]
        between = np.zeros(len(first), np.int64)
        for step in range(1, BETWEEN + 1):
            inside = first + step < last
            between[inside] = between[inside] * self._base + self._digit[words[first[inside] + step]]
        ends = words[first].astype(np.int64) * self.words + words[last]
        known = (words[first] >= 0) & (words[last] >= 0)
        return Pairs(first, last, np.where(known, ends * self._base**BETWEEN + between, -1))

    def key(self, words: Sequence[int]) -> int:
        """Return the key of a pair: the ids of its first word, of the connectors between, and of its last word."""
        (pair,) = self.pairs(np.array(words), np.zeros(len(words), np.intp)).key
        return int(pair)

    def parts(self, key: Integers) -> tuple[NDArray[np.int64], list[list[int]], NDArray[np.int64]]:
        """Return the first words (P,), the connectors between, and the last words (P,) of pairs."""
        ends, between = np.divmod(key, self._base**BETWEEN)
        first, last = np.divmod(ends, self.words)
        connectors = np.flatnonzero(self._digit)
        digits = [[*map(int, reversed(_digits(int(each), self._base)))] for each in between]
        return first, [[int(connectors[digit - 1]) for digit in each] for each in digits], last


def _digits(number: int, base: int) -> list[int]:
    digits = []
    while number:
        number, digit = divmod(number, base)
        digits.append(digit)
    return digits


def word2phrase(pair: Integers, first: Integers, last: Integers, total: int, least: int) -> Scores:
    """Return word2phrase's score of pairs (P,) from their counts, those of their words, and the number of words."""
    scores: Scores = (pair - least) * (total / first / last)
    return scores


def npmi(pair: Integers, first: Integers, last: Integers, total: int, least: int) -> Scores:
    """Return the normalised pointwise mutual information of pairs (P,); −1 for those that occur less than `least`."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a pair that is the whole text
        scores = np.log(pair * (total / first / last)) / -np.log(pair / total)
    return np.where(pair >= least, np.nan_to_num(scores, nan=1.0, posinf=1.0), -1.0)


def chosen(pairs: Pairs, phrase: Mask) -> Mask:
    """Return which pairs to join (P,): phrases, from the left, that share no word with one that is joined."""
    follows = np.zeros(len(phrase), bool)  # the pair begins with the word that ends the phrase before
    follows[1:] = phrase[:-1] & phrase[1:] & (pairs.last[:-1] == pairs.first[1:])
    # in a run of phrases that overlap, each second one is joined
    place = np.arange(len(phrase))
    begin = np.maximum.accumulate(np.where(follows, 0, place))
    joined: Mask = phrase & ((place - begin) % 2 == 0)
    return joined
