"""Any file as documents: what its name says about compression and format decides how it is read."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from configs.schema import Ingestion
from tasks._archives import Growth, clear_errors, inflated, members, suffix
from tasks._documents import Document, texts
from tasks._installed_docs import docstrings
from tasks._rows import csv_rows, json_lines, parquet_rows

Reader = Callable[[BinaryIO, str, Ingestion], Iterator[Document]]
READERS: dict[str, Reader] = {".jsonl": json_lines, ".csv": csv_rows, ".parquet": parquet_rows, ".py": docstrings}


def read(file: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """The documents of one file, in order. Raises InputError if it is damaged or lacks the columns named."""
    with clear_errors(name):
        growth = Growth(name, file.seek(0, io.SEEK_END))
        file.seek(0)
        for packed, member in members(file, name, growth) if suffix(name) == ".zip" else [(file, name)]:
            stream, inner = inflated(packed, member, growth)
            yield from READERS.get(suffix(inner), texts)(stream, member, config)
