"""word2vec's own files, read back as other programs read them."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float32]  # (V, D)


def read_text(path: Path) -> tuple[list[str], Table]:
    head, *lines = _content(path).decode().splitlines()
    rows, size = map(int, head.split())
    words, *columns = zip(*(line.split() for line in lines), strict=True)
    table = np.array(columns, np.float32).T
    assert table.shape == (rows, size)
    return list(words), table


def read_binary(path: Path) -> tuple[list[str], Table]:
    head, _, content = _content(path).partition(b"\n")
    rows, size = map(int, head.split())
    table = np.empty((rows, size), np.float32)
    words = []
    place = 0
    for row in table:
        space = content.index(b" ", place)
        words.append(content[place:space].decode().lstrip("\n"))
        row[:] = np.frombuffer(content, "<f4", size, space + 1)
        place = space + 1 + row.nbytes
    return words, table


def _content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
