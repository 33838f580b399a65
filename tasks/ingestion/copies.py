"""Find texts that occur in several batches by their digests, in memory that does not grow with the corpus."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.ingestion.deduplication import ANY, DIGEST

FILE = "digests"  # of a batch: the digest of each document's text, in order
AT_ONCE = 1 << 22  # digests compared at once, about 64 bytes each
HALVES = np.dtype([("high", "<u8"), ("low", "<u8")])
assert HALVES.itemsize == DIGEST


def digests(folder: Path) -> NDArray[np.void]:
    """Return the digest of each document of the batch in `folder`, as two numbers."""
    return np.fromfile(folder / FILE, HALVES)


def placeholders(found: NDArray[np.void]) -> NDArray[np.bool_]:
    """Return which digests stand for texts that may repeat others."""
    mask: NDArray[np.bool_] = found == np.frombuffer(ANY, HALVES)[0]
    return mask


def repeated(folders: Sequence[Path]) -> list[list[int]]:
    """Return, for each batch, the rows whose text occurs in an earlier batch; each batch has a text only once.

    The digests are compared in as many passes over the files as their number needs, each time those of one remainder.
    """
    rows: list[list[int]] = [[] for _ in folders]
    total = sum((folder / FILE).stat().st_size for folder in folders) // DIGEST
    passes = max(1, -(-total // AT_ONCE))
    for turn in range(passes):
        chosen = [_chosen(folder, turn, passes) for folder in folders]
        batch = np.repeat(np.arange(len(folders), dtype=np.int32), [len(row) for row, _ in chosen])
        row = np.concatenate([row for row, _ in chosen]) if chosen else np.empty(0, np.int64)
        found = np.concatenate([digest for _, digest in chosen]) if chosen else np.empty(0, HALVES)
        order = np.lexsort((batch, found["low"], found["high"]))
        ordered = found[order]
        again = order[1:][
            ordered[1:] == ordered[:-1]
        ]  # all but the first of equal digests, which is of the first batch
        for each in np.sort(again):
            rows[batch[each]].append(int(row[each]))
    return [sorted(each) for each in rows]


def _chosen(folder: Path, turn: int, passes: int) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    found = digests(folder)
    rows = np.flatnonzero((found["high"] % np.uint64(passes) == turn) & ~placeholders(found))
    return rows, found[rows]
