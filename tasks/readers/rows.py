"""Rows with a named text column: the common part of the readers of JSON, CSV, Parquet and Arrow."""

import codecs
from collections.abc import Collection, Iterator, Sequence
from typing import Any, BinaryIO

from configs.schema import Ingestion
from tasks.errors import InputError, MissingColumn
from tasks.readers import items
from tasks.readers.documents import Document, row

LONGEST_ROW = 1 << 24  # bytes, so that a row and what is decoded from it fit in memory


def decoded(line: bytes) -> str:
    """Return the line as text, with every invalid UTF-8 byte as a lone surrogate."""
    return line.decode("utf-8", "surrogateescape")


def lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield each line, without the file's byte order mark, as a pair: the byte offset of its end, and its content."""
    end = 0
    while line := stream.readline(LONGEST_ROW + 1):
        if len(line) > LONGEST_ROW:
            raise too_long(name, f"the row at byte {end:,}")
        yield end + len(line), line if end else line.removeprefix(codecs.BOM_UTF8)
        end += len(line)


def too_long(name: str, what: str) -> InputError:
    """Return the error for a row or text that is too long."""
    return InputError(
        f"{name}: {what} is too long\nexpected  at most {LONGEST_ROW:,} bytes\n"
        "Check that the file has the format of its suffix: a text without rows is a .txt file."
    )


def document(fields: dict[str, Any], source: str, place: str, config: Ingestion) -> Iterator[Document]:
    """Return the documents of a row from its named columns. Raises InputError if one is missing or of a wrong type."""
    require(fields, f"{source} ({place})", config)
    text = fields[config.text_column]
    identity = fields.get(config.id_column) if config.id_column else None
    if config.kind == "text" and not isinstance(text, str | None):
        listed = isinstance(text, list) and all(isinstance(item, str) for item in text)
        ways = 'Join the items of each list with blanks, in one string, or set tokenization.kind = "items".'
        way = ways if listed else "Set ingestion.text_column."
        raise InputError(
            f"{source} ({place}): the column {config.text_column!r} is not text\n"
            f"expected  a string\nfound     {type(text).__name__}: {text!r:.60}\n{way}"
        )
    if isinstance(identity, list | dict):
        raise InputError(
            f"{source} ({place}): the column {config.id_column!r} is not a name\n"
            f"expected  a string or a number\nfound     {type(identity).__name__}: {identity!r:.60}\n"
            "Set ingestion.id_column."
        )
    if identity is not None:
        source = str(identity).encode(errors="replace").decode()
    if config.kind == "items":
        return iter([items.row(fields, source, place, config)])
    return row(source, text or "", place, config)


def columns(config: Ingestion) -> dict[str, str]:
    """Return the columns that the config names, by their keys."""
    keys = ("text_column", "id_column", "session_column", "time_column")
    return {key: column for key in keys if (column := getattr(config, key)) is not None}


def require(found: Collection[Any], where: str, config: Ingestion) -> None:
    """Raises MissingColumn if a column that the config names is not among those found."""
    for key, column in columns(config).items():
        if column not in found:
            raise MissingColumn(
                f"{where}: there is no column {column!r}\nfound     {_listed(found)}\n"
                f"Set ingestion.{key} to one of them, or leave the file out of ingestion.source.",
                list(map(str, found)),
            )


def require_once(names: Sequence[str], where: str, config: Ingestion) -> None:
    """Raises InputError if a column that the config names occurs more than once."""
    for column in columns(config).values():
        if names.count(column) > 1:
            raise InputError(
                f"{where}: there are {names.count(column)} columns {column!r}\nexpected  each name once\n"
                f"found     {_listed(names)}\nRename one of them."
            )


def _listed(names: Collection[Any]) -> str:
    shown = [f"{name:.60}" for name in list(map(str, names))[:20]]
    return (", ".join(shown) + (", …" if len(names) > 20 else "")) or "no columns"
