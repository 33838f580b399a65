"""Read Parquet and Arrow a few rows at a time, so that dictionary encoding cannot fill the memory."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema import Ingestion
from tasks.readers import rows as tables
from tasks.readers.archives import LINE, Growth
from tasks.readers.arrow_messages import messages
from tasks.readers.documents import Document
from tasks.readers.rows import LONGEST_ROW, decoded, document, require, require_once, too_long

PARQUET = {"pre_buffer": False, "buffer_size": 1 << 20, "page_checksum_verification": True}
ROWS = 256  # decoded at a time
DICTIONARIES = {"RLE_DICTIONARY", "PLAIN_DICTIONARY"}
AT_ONCE = 1 << 26  # bytes that those rows may take up
REMEMBERED = 1 << 14  # longest dictionary value, in characters, that is cached


def parquet_rows(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield a document per row of a Parquet file. Raises InputError if its columns do not fit the config."""
    file = pq.ParquetFile(stream, **PARQUET)
    columns = _columns(file.schema_arrow, name, config)
    Growth(name, stream.seek(0, io.SEEK_END)).add(LINE * file.metadata.num_rows)  # it may declare any number of nulls
    if encoded := [column for column in columns if _encoded(file, column)]:
        file = pq.ParquetFile(stream, **PARQUET, read_dictionary=encoded)
    rows = min([ROWS, *_bearable(file.metadata, columns, name)])
    yield from _documents(file.iter_batches(rows, columns=columns), columns, name, config)


def arrow_rows(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield a document per row of an Arrow IPC file or stream. Raises InputError as `parquet_rows` does."""
    checked = messages(stream, name)
    reader = pa.ipc.open_stream(checked)
    columns = _columns(reader.schema, name, config)
    yield from _documents(_slices(reader, columns), columns, name, config)
    checked.read()  # check what follows the end mark, too


def row_count(stream: BinaryIO) -> int:
    """Return the number of rows of a Parquet file."""
    return int(pq.ParquetFile(stream).metadata.num_rows)


def _encoded(file: Any, column: str) -> bool:
    """Return True if a string column is dictionary-encoded, so that few bytes may stand for very many."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    parts = [group.column(number) for group in groups for number in range(group.num_columns)]
    encodings = {encoding for part in parts if part.path_in_schema == column for encoding in part.encodings}
    readable = not any(encoding.startswith("DELTA") for encoding in encodings)
    return _strings(file.schema_arrow.field(column).type) and readable and bool(encodings & DICTIONARIES)


def _columns(schema: pa.Schema, name: str, config: Ingestion) -> list[str]:
    require(schema.names, name, config)
    require_once(schema.names, name, config)
    return list(dict.fromkeys(tables.columns(config).values()))


def _bearable(metadata: Any, columns: list[str], name: str) -> Iterator[int]:
    """Yield, for each column chunk, how many rows to read at once: one value may hold all bytes of the chunk."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for part in map(group.column, range(group.num_columns)):
            if part.path_in_schema.partition(".")[0] not in columns:
                continue
            plain, packed = part.total_uncompressed_size, part.total_compressed_size
            Growth(name, packed).add(plain)
            if "DELTA_BYTE_ARRAY" in part.encodings:  # each value may repeat all of the one before
                yield max(1, AT_ONCE // max(1, plain))
            else:
                yield max(1, AT_ONCE * group.num_rows // max(1, plain) // 4)


def _slices(batches: Iterator[pa.RecordBatch], columns: list[str]) -> Iterator[dict[str, pa.Array]]:
    for batch in batches:
        found = {column: _as_bytes(batch.column(column)) for column in columns}
        for values in found.values():
            values.validate(full=True)  # a damaged file may have offsets out of range
        for start in range(0, len(batch), ROWS):
            yield {column: values.slice(start, ROWS) for column, values in found.items()}


def _documents(batches: Iterator[Any], columns: list[str], name: str, config: Ingestion) -> Iterator[Document]:
    number = 0
    for batch in batches:
        for values in zip(*(_values(batch[column], name) for column in columns), strict=True):
            number += 1
            fields = dict(zip(columns, values, strict=True))
            yield from document(fields, f"{name}:{number}", f"row {number:,}", config)


def _values(column: pa.Array, name: str) -> Iterator[Any]:
    """Yield the values of a column one by one. Strings are decoded here: pyarrow would raise on invalid UTF-8."""
    column = _as_bytes(column)
    kind = column.type
    if pa.types.is_dictionary(kind):
        known: dict[int, Any] = {}
        for index in column.indices.to_pylist():
            value = known.get(index)
            if value is None and index is not None:
                value = _value(column.dictionary[index], name)
                if not isinstance(value, str) or len(value) < REMEMBERED:
                    known[index] = value
            yield value
    elif _strings(kind):
        yield from (_value(scalar, name) for scalar in column)
    else:
        yield from column.to_pylist()


def _value(scalar: pa.Scalar, name: str) -> Any:
    if not _strings(scalar.type):
        return scalar.as_py()
    buffer = scalar.as_buffer()
    if buffer is None:
        return None
    if buffer.size > LONGEST_ROW:
        raise too_long(name, "a text")
    return decoded(buffer.to_pybytes())


def _strings(kind: pa.DataType) -> bool:
    types = pa.types
    return any(
        check(kind)
        for check in (
            types.is_string,
            types.is_large_string,
            types.is_string_view,
            types.is_binary,
            types.is_large_binary,
            types.is_binary_view,
        )
    )


def _as_bytes(column: pa.Array) -> pa.Array:
    """Return string columns as binary, without a copy; other columns unchanged."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        values = _as_bytes(column.dictionary)
        return (
            column
            if values is column.dictionary
            else pa.DictionaryArray.from_arrays(column.indices, values, safe=False)
        )
    views = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
    return column.view(views[kind]) if kind in views else column
