"""Subwords: a word is the mean of a row of its own and of the rows of its character n-grams, so any word has a vector.

    <where>   at n = 3 … 4    <wh  <whe  whe  wher  her  here  ere  ere>  re>

    h_w = 1/n_w · (z_w + Σ z_g)          over the n_w − 1 n-grams g of w, each as often as it occurs
    h_w = 1/n_w · Σ z_g                  of a word that was never seen: it has no row z_w

The n-grams of all words share the rows of B buckets: an n-gram has the row of its hash modulo B. Which n-grams there
are, and their hashes, are fastText's to the bit: n counts code points, < and > stand at the ends of a word and are
no n-gram alone; the hash is FNV-1a over the bytes of UTF-8, of which fastText takes those above 127 as negative.
A bucket that no word of the vocabulary has is not stored and counts as a row of zeros.

This module imports nothing of the project: each logged model carries a copy of it.

Shapes   V words, N n-grams of all of them, B buckets, G ≤ B of them with a row, D vector size.
Source   Bojanowski et al. 2017 (arXiv:1607.04606); Dictionary::computeSubwords and ::hash of fastText 0.9.2.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

OFFSET, PRIME = 2166136261, 16777619  # of FNV-1a, 32 bits
LONGEST = 4  # bytes of a code point
CHUNK = 1 << 12  # words whose rows are gathered at a time


class Grams(NamedTuple):
    """Which n-grams words are cut into, and into how many buckets these fall."""

    min_n: int
    max_n: int
    buckets: int


class Subwords(NamedTuple):
    """The n-grams of a finished model, of which the vectors of unseen words are made."""

    grams: Grams
    bucket: NDArray[np.int32]  # (G,) ascending: the bucket of each row of the table
    table: Floats  # (G, D), perhaps mapped from a file

    def of(self, words: Sequence[str]) -> Floats:
        """Return the vector of each word as if it had never been seen, (V, D); zeros if none of its n-grams has a row.

        A word of the vocabulary has, beside these, a row of its own, so that its vector is another.
        """
        start, bucket = cut(words, self.grams)
        vectors = sums(self.table, start, rows_of(bucket, self.bucket))
        vectors /= np.maximum(np.diff(start), 1).astype(np.float32)[:, None]
        return vectors

    def own(self, words: Sequence[str], vectors: Floats) -> Floats:
        """Return the own row of each word of the vocabulary (V, D), given its vector: z_w = n_w · h_w − Σ z_g."""
        start, bucket = cut(words, self.grams)
        size = (np.diff(start) + 1).astype(np.float32)
        rows: Floats = vectors * size[:, None] - sums(self.table, start, rows_of(bucket, self.bucket))
        return rows


class Parts(NamedTuple):
    """The n-grams of each word of a vocabulary: those of word w are row[start[w] : start[w + 1]] of the table."""

    start: Places  # (V + 1,)
    row: Places  # (N,)
    subwords: Subwords

    @property
    def table(self) -> Floats:
        """Return the rows of the n-grams (G, D)."""
        return self.subwords.table

    def holding(self, table: Floats) -> "Parts":
        """Return the same n-grams with other rows."""
        return self._replace(subwords=self.subwords._replace(table=table))

    @property
    def size(self) -> Floats:
        """Return n_w of each word (V,): the number of its n-grams, and 1 for its own row."""
        return (np.diff(self.start) + 1).astype(np.float32)


def parts(words: Sequence[str], grams: Grams, size: int) -> Parts:
    """Return the n-grams of the words, with a table of zeros for all of them, (G, D) with D = `size`."""
    start, bucket = cut(words, grams)
    known = np.unique(bucket)
    return Parts(start, rows_of(bucket, known), Subwords(grams, known, np.zeros((len(known), size), np.float32)))


def cut(words: Sequence[str], grams: Grams) -> tuple[Places, NDArray[np.int32]]:
    """Return (start, bucket): those of the n-grams of word w are bucket[start[w] : start[w + 1]], in fastText's order.

    >>> start, bucket = cut(["where"], Grams(3, 4, 2_000_000))
    >>> int(start[1]), int(bucket[0])
    (9, 167652)
    """
    number, bucket = [np.zeros(1, np.intp)], [np.empty(0, np.int32)]
    for first in range(0, len(words), CHUNK):
        counted, found = _cut(words[first : first + CHUNK], grams)
        number.append(counted)
        bucket.append((found % np.uint32(grams.buckets)).astype(np.int32))
    return np.cumsum(np.concatenate(number)), np.concatenate(bucket)


def _cut(words: Sequence[str], grams: Grams) -> tuple[Places, NDArray[np.uint32]]:
    """Return how many n-grams each word has (V,), and their hashes, word by word (N,)."""
    # All words, each in < and >, lie one after another as bytes. A code point begins at each byte that is no
    # continuation (10xxxxxx); n-grams grow from all of these places together, by a code point a round.
    texts = [b"<" + word.encode("utf-8", "replace") + b">" for word in words]
    byte = np.frombuffer(b"".join(texts), np.uint8)
    begin = np.flatnonzero((byte & 0xC0) != 0x80)
    length = np.diff(begin, append=len(byte))  # bytes of each code point
    ends = np.cumsum([len(text) for text in texts])
    word = np.searchsorted(ends, begin, side="right")  # of each code point
    end = np.searchsorted(begin, ends)[word]  # the code point after its word
    signed = byte.view(np.int8).astype(np.int32).view(np.uint32)  # a sign fills the upper bits, as in fastText

    value = np.full(len(begin), OFFSET, np.uint32)
    places, lengths, hashes = [], [], []
    at = np.arange(len(begin))  # where the n-grams of n code points begin
    for n in range(1, grams.max_n + 1):
        at = at[at + n <= end[at]]
        added = at + n - 1
        for offset in range(LONGEST):
            longer = length[added] > offset
            grown = at[longer]
            value[grown] = (value[grown] ^ signed[begin[added[longer]] + offset]) * np.uint32(PRIME)
        if n >= grams.min_n:
            # neither < nor > alone is an n-gram: the first and the last code point of a word
            kept = at if n > 1 else at[(np.diff(word, prepend=-1) == 0) & (at + 1 < end)]
            places.append(kept)
            lengths.append(np.full(len(kept), n))
            hashes.append(value[kept])
    place = np.concatenate(places)
    order = np.lexsort((np.concatenate(lengths), place))
    return np.bincount(word[place], minlength=len(words)), np.concatenate(hashes)[order]


def rows_of(bucket: NDArray[np.int32], known: NDArray[np.int32]) -> Places:
    """Return the row of each bucket among the `known` ones, which ascend; −1 for one without a row."""
    if len(known) == 0:
        return np.full(len(bucket), -1, np.intp)
    row = np.minimum(np.searchsorted(known, bucket), len(known) - 1)
    return np.where(known[row] == bucket, row, -1)


def sums(table: Floats, start: Places, row: Places) -> Floats:
    """Return the sum of the rows of each word (V, D); −1 stands for a row of zeros."""
    total = np.zeros((len(start) - 1, table.shape[1]), np.float32)
    for first in range(0, len(total), CHUNK):
        ends = start[first : first + CHUNK + 1]
        here = row[ends[0] : ends[-1]]
        gathered = table[np.maximum(here, 0)]
        gathered[here < 0] = 0
        some = np.flatnonzero(np.diff(ends))  # reduceat knows no empty sums
        if len(some):
            total[first + some] = np.add.reduceat(gathered, ends[some] - ends[0], axis=0)
    return total
