"""Rows with a named text column: JSON lines, CSV and Parquet, one row in memory at a time (of Parquet, a few)."""

import codecs
import csv
import json
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema import Ingestion
from tasks._documents import Document, row
from tasks._errors import InputError

LONGEST_ROW = 1 << 28  # bytes; a quotation mark that is never closed must not fill the memory
PARQUET_ROWS = 256  # in memory at a time


def json_lines(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """An object a line; one that is no JSON counts as undecodable."""
    start = 0
    for number, (end, line) in enumerate(_lines(stream, name), start=1):
        source, place, start = f"{name}:{number}", start, end
        if line.isspace():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            inside = getattr(error, "start", getattr(error, "pos", 0))  # of the bytes, or of the JSON
            yield Document(source, None, f"byte {place + inside:,}")
        else:
            yield from _document(fields if isinstance(fields, dict) else {}, source, f"byte {place:,}", config)


def csv_rows(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """A row under a header; separated by commas, quoted with double quotation marks."""
    start = read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for end, line in _lines(stream, name):
            read = end
            yield _text(line)

    csv.field_size_limit(LONGEST_ROW)
    reader = csv.DictReader(lines(), restval="")
    try:
        _require(reader.fieldnames or [config.text_column], name, config)
        start = read
        for number, fields in enumerate(reader, start=1):
            if None in fields:
                raise csv.Error("it has more fields than the header; texts with commas must be quoted")
            yield from _document(fields, f"{name}:{number}", f"byte {start:,}", config)
            start = read
    except csv.Error as error:
        raise InputError(f"{name}: the row at byte {start:,} is not CSV: {error}") from error


def parquet_rows(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20)
    _require(file.schema_arrow.names, name, config)
    columns = list(dict.fromkeys(filter(None, [config.text_column, config.id_column])))
    number = 0
    for batch in file.iter_batches(PARQUET_ROWS, columns=columns):
        for values in zip(*(_decoded(batch[column]) for column in columns), strict=True):
            number += 1
            fields = dict(zip(columns, values, strict=True))
            yield from _document(fields, f"{name}:{number}", f"row {number:,}", config)


def _decoded(column: pa.Array) -> list[Any]:
    """The values, of which texts are decoded here: pyarrow would raise where one is not UTF-8."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    values = column.cast(kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        values = values.cast(pa.large_binary())
    return [_text(value) if isinstance(value, bytes) else value for value in values.to_pylist()]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Each line without the file's byte order mark, after the number of bytes up to its end."""
    end = 0
    while line := stream.readline(LONGEST_ROW + 1):
        if len(line) > LONGEST_ROW:
            raise InputError(
                f"{name}: the row at byte {end:,} is too long\nexpected  at most {LONGEST_ROW:,} bytes\n"
                "Is it the format that its name says? A text without rows is a .txt file."
            )
        yield end + len(line), line if end else line.removeprefix(codecs.BOM_UTF8)
        end += len(line)


def _document(fields: dict[str, Any], source: str, place: str, config: Ingestion) -> Iterator[Document]:
    _require(fields, f"{source} ({place})", config)
    text = fields[config.text_column]
    identity = fields.get(config.id_column) if config.id_column else None
    if not isinstance(text, str | None):
        raise InputError(
            f"{source} ({place}): the column {config.text_column!r} is no text\n"
            f"expected  a string\nfound     {type(text).__name__}: {text!r:.60}\nSet ingestion.text_column."
        )
    if identity is not None:
        source = str(identity).encode(errors="replace").decode()
    return row(source, text or "", place, config)


def _require(found: Collection[str], where: str, config: Ingestion) -> None:
    """The columns that the config names must be among those found."""
    for key, column in (("text_column", config.text_column), ("id_column", config.id_column)):
        if column is not None and column not in found:
            raise InputError(
                f"{where}: there is no column {column!r}\nfound     {', '.join(map(str, found)) or 'no columns'}\n"
                f"Set ingestion.{key} to one of them."
            )
