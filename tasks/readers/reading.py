"""Read any file as documents; its name and its first bytes decide how, or that it is refused."""

import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import BinaryIO

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers.archives import LINE, Growth, clear_errors, inflated, members, peeked, sought
from tasks.readers.columnar_rows import arrow_rows, parquet_rows
from tasks.readers.csv_rows import csv_rows, tsv_rows
from tasks.readers.documents import Document, broken, texts
from tasks.readers.formats import COLUMNAR, COMPRESSED, ZIP, inner, suffix
from tasks.readers.items import lines_of_ids, of_one_kind
from tasks.readers.json_rows import json_lines, json_values
from tasks.readers.package_docs import docstrings
from tasks.readers.recognition import HEAD, recognised, refuse_no_zip, refuse_uncompressed
from tasks.readers.rows import lines

Reader = Callable[[BinaryIO, str, Ingestion], Iterator[Document]]


def documents_of_text(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield the file as text, or its lines as ids of items."""
    return lines_of_ids(lines(stream, name), name, config) if config.kind == "items" else texts(stream, name, config)


READERS: dict[str, Reader] = {
    "text": documents_of_text,
    "json lines": json_lines,
    "json": json_values,
    "csv": csv_rows,
    "tsv": tsv_rows,
    "parquet": parquet_rows,
    "arrow": arrow_rows,
}  # by the keys of tasks/readers/formats.py


def read(file: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield the documents of one file, in order; none if it is empty. Raises InputError if it is refused or damaged."""
    found = _read(file, name, config)
    return of_one_kind(found, name) if config.kind == "items" else found


def _read(file: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    with clear_errors(name):
        growth = Growth(name, file.seek(0, io.SEEK_END))
        head, file = peeked(_rewound(file), HEAD)
        if not head:
            return
        if suffix(name) != ZIP:
            yield from _one(file, name, config, growth)
            return
        refuse_no_zip(head, name)
        for member, inside in members(file, name, growth):
            yield from _one(member, inside, config, growth)


def read_installed(file: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield the documentation in a file of a package; skip a file that is not text, since nobody chose it by name."""
    if suffix(name) == ".py":
        yield from docstrings(file, name, config)
        return
    try:
        yield from read(file, name, config)
    except InputError:
        yield broken(name, "byte 0", 0)


def _one(packed: BinaryIO, name: str, config: Ingestion, growth: Growth) -> Iterator[Document]:
    """Yield the documents of a file that is not an archive."""
    head, stream = peeked(packed, HEAD)
    if head and suffix(name) in COMPRESSED:
        refuse_uncompressed(head, name)
        head, stream = peeked(inflated(stream, name, growth), HEAD)
    if not head:
        return
    kind = recognised(head, name)
    if kind not in COLUMNAR:
        yield from READERS[kind](stream, name, config)
        return
    with sought(stream) if kind == "parquet" else nullcontext(stream) as file:
        for document in READERS[kind](file, name, config):
            growth.add(LINE + len(document.text or ""))
            yield document


def _rewound(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file


def kind_of(file: BinaryIO, name: str) -> str:
    """Return the format in which a file, neither compressed nor an archive, would be read; empty if it is refused."""
    head, _ = peeked(file, HEAD)
    try:
        return recognised(head, inner(name)) if head else ""
    except InputError:
        return ""
