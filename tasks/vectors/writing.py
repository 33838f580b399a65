"""What the writers of exports share: files that may be gzipped, and words that a format cannot hold."""

import gzip
import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError

Counts = NDArray[np.int64]  # (V,)
Table = NDArray[np.float32]  # (V, D)

LEVEL = 1  # of gzip: digits compress little, and higher levels take twice the time
LINE_END = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")  # as `str.splitlines` knows them


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open the file for writing, gzipped if its name says so; the gzip header contains neither time nor name."""
    with open(path, "wb") as file:
        if path.suffix.lower() == ".gz":
            with gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as zipped:
                yield cast(BinaryIO, zipped)
        else:
            yield file


def cut(word: str, ends: AbstractSet[str] = frozenset()) -> bool:
    """Return True if a reader would end the word early, at one of `ends` or by default at white space, or find none."""
    return not word or (not ends.isdisjoint(word) if ends else re.search(r"\s", word) is not None)


def check(words: Sequence[str], ends: AbstractSet[str] = frozenset(), expected: str = "") -> None:
    """Raise InputError for the first word that a reader would cut."""
    for row, word in enumerate(words):
        if cut(word, ends):
            refuse(row, word, expected or f"words without {'a tab or an end of line' if ends else 'white space'}")


def refuse(row: int, word: str, expected: str) -> None:
    """Raise InputError for a word that the format cannot hold."""
    raise InputError(
        f"word {row} cannot be written in this format\nexpected  {expected}\nfound     {word!r:.200}\n"
        "Export as parquet, which holds any word."
    )
