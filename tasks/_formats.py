"""Vectors as other programs read them: one writer a format, each with the words in the order of the rows.

    text       word2vec's own: a line "V D", then a line a word; gzipped where the name ends with .gz
    binary     word2vec's own: the same first line, then each word, a space, and D little-endian float32
    parquet    word, count, vector
    npy        the matrix, and beside it the words, one a line
    projector  TensorBoard's embedding projector: vectors and words as a pair of .tsv files

All but Parquet end a word at white space, so a word that holds any is refused there. A file is the same, byte for
byte, each time it is written.
"""

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks._errors import InputError

Counts = NDArray[np.int64]  # (V,)
Table = NDArray[np.float32]  # (V, D)

DIGITS = "%.6g"  # word2vec.c writes %lf; six significant digits keep small components too
LEVEL = 1  # of gzip: digits compress little, and more takes twice the time


def write_text(path: Path, words: list[str], counts: Counts, table: Table) -> list[Path]:
    _check(path, words)
    line = " ".join(["%s", *[DIGITS] * table.shape[1]]) + "\n"
    with _opened(path) as stream:
        stream.write(_head(table))
        for word, row in zip(words, table.tolist(), strict=True):
            stream.write((line % (word, *row)).encode())
    return [path]


def write_binary(path: Path, words: list[str], counts: Counts, table: Table) -> list[Path]:
    _check(path, words)
    with _opened(path) as stream:
        stream.write(_head(table))
        for word, row in zip(words, table.astype("<f4"), strict=True):
            stream.write(word.encode() + b" " + row.tobytes() + b"\n")
    return [path]


def write_parquet(path: Path, words: list[str], counts: Counts, table: Table) -> list[Path]:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(table.ravel()), table.shape[1])
    pq.write_table(pa.table({"word": words, "count": counts, "vector": vectors}), path, compression="zstd")
    return [path]


def write_npy(path: Path, words: list[str], counts: Counts, table: Table) -> list[Path]:
    _check(path, words)
    matrix, labels = path.with_suffix(".npy"), path.with_suffix(".words.txt")
    np.save(matrix, table, allow_pickle=False)
    _write_lines(labels, words)
    return [matrix, labels]


def write_projector(path: Path, words: list[str], counts: Counts, table: Table) -> list[Path]:
    _check(path, words)
    vectors, labels = path.with_suffix(".vectors.tsv"), path.with_suffix(".words.tsv")
    np.savetxt(vectors, table, fmt=DIGITS, delimiter="\t")
    _write_lines(labels, ["word\tcount", *(f"{word}\t{count}" for word, count in zip(words, counts, strict=True))])
    return [vectors, labels]


WRITERS = {
    "text": write_text,
    "binary": write_binary,
    "parquet": write_parquet,
    "npy": write_npy,
    "projector": write_projector,
}  # each writes beside `path` what its format needs, and returns the files


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file to write to, gzipped if its name ends so; the gzip header holds neither time nor name."""
    with open(path, "wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as zipped:
                yield cast(BinaryIO, zipped)
        else:
            yield file


def _head(table: Table) -> bytes:
    return b"%d %d\n" % table.shape


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _check(path: Path, words: list[str]) -> None:
    for row, word in enumerate(words):
        if not word or re.search(r"\s", word):
            raise InputError(
                f"{path.name}: word {row} cannot be written in this format\n"
                f"expected  words without white space\nfound     {word!r}\n"
                "Export as parquet instead, or change tokenization.pattern."
            )
