"""Write vectors of subwords as fastText's own .bin, which fastText and gensim load: also for words never seen.

    magic, version     int32    793712314, 12
    arguments          12 int32 and a double: dimension … subsampling; of these only the n-grams and buckets matter
    dictionary         int32 words, words, labels; int64 occurrences, −1 (nothing is pruned)
                       each word in UTF-8 with a zero byte, int64 count, int8 0 (a word)
    input matrix       int8 0 (not quantised), int64 rows, columns, float32: the words' own rows, then all buckets
    output matrix      the same, of zeros: a run keeps only the vectors of words, so a training cannot go on from it

Numbers are little-endian. A bucket without an n-gram in the vocabulary is a row of zeros, as it counts here.
"""

import struct
from pathlib import Path

import numpy as np

from tasks.errors import InputError
from tasks.vectors.tables import WordVectors

MAGIC, VERSION = 793712314, 12
SKIP_GRAM, NEGATIVE_SAMPLING = 2, 2
ZEROS = 1 << 14  # rows written at a time


def write(path: Path, learnt: WordVectors) -> list[Path]:
    """Write the file. Raises InputError for vectors without subwords, and for a word with a zero byte."""
    if learnt.subwords is None:
        raise InputError(
            f"{path.name} cannot be written in fastText's format\nexpected  vectors of subwords\n"
            "found     vectors of whole words\nExport as binary or text, or train with --set training.max_n=6."
        )
    if any("\0" in word for word in learnt.words):
        raise InputError("fastText's format ends a word at a zero byte, and one of these has one: export as parquet.")
    (words, size), grams = learnt.table.shape, learnt.subwords.grams
    own = learnt.subwords.own(learnt.words, learnt.table)
    with open(path, "wb") as stream:
        arguments = (size, 5, 5, 1, 5, 1, NEGATIVE_SAMPLING, SKIP_GRAM, grams.buckets, grams.min_n, grams.max_n, 100)
        stream.write(struct.pack("<2i12id", MAGIC, VERSION, *arguments, 1e-4))
        stream.write(struct.pack("<3i2q", words, words, 0, int(learnt.counts.sum()), -1))
        for word, count in zip(learnt.words, learnt.counts.tolist(), strict=True):
            stream.write(word.encode() + b"\0" + struct.pack("<qb", count, 0))
        stream.write(struct.pack("<b2q", 0, words + grams.buckets, size))
        stream.write(own.astype("<f4").tobytes())
        bucket = learnt.subwords.bucket
        for first in range(0, grams.buckets, ZEROS):
            rows = np.zeros((min(ZEROS, grams.buckets - first), size), "<f4")
            here = slice(*np.searchsorted(bucket, [first, first + len(rows)]))
            rows[bucket[here] - first] = learnt.subwords.table[here]
            stream.write(rows.tobytes())
        stream.write(struct.pack("<b2q", 0, words, size))
        for first in range(0, words, ZEROS):
            stream.write(bytes(4 * size * min(ZEROS, words - first)))
    return [path]
