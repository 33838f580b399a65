"""Documents of items: lists of ids, lines of ids, and the events of sessions. Ids are kept as they are.

Where a text would lose a word, a basket loses its sense: a row with bytes that are not UTF-8 is left out whole, and a
missing id is an error.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers.documents import FLAW, Document, broken

BETWEEN = "\0"  # between the ids of a document, none of which may hold it


def row(fields: dict[str, Any], source: str, place: str, config: Ingestion) -> Document:
    """Return the items of a row, or its event if the rows are those. Raises InputError for what is no id."""
    value, where = fields[config.text_column], f"{source} ({place}): the column {config.text_column!r}"
    if config.session_column is None:
        return listed(value, source, place, where, config)
    if isinstance(value, list):
        raise _wrong(where, "an id, as ingestion.session_column is set", value, "Remove ingestion.session_column.")
    session = fields[config.session_column]
    named = f"{source} ({place}): the column {config.session_column!r}"
    (item,), (name,) = _ids([value], where), _ids([session], named)
    if FLAW.search(item) or FLAW.search(name):
        return broken(source, place, len(item))
    time = 0.0
    if config.time_column is not None:
        time = _seconds(fields[config.time_column], f"{source} ({place}): the column {config.time_column!r}")
    return Document(name, item, place, time=time, integers=not isinstance(value, str))


def listed(value: Any, source: str, place: str, where: str, config: Ingestion) -> Document:
    """Return a document of the ids of a list, or of a text that is split at the separator."""
    if isinstance(value, str):
        value = value.split(config.separator) if value.strip() else []
    if not isinstance(value, list | None):
        way = "If a row is one event, name its session's column: ingestion.session_column."
        raise _wrong(where, "a list of ids, or a text of them", value, way)
    value = value or []
    ids = _ids(value, where)
    text = BETWEEN.join(ids)
    if any(map(FLAW.search, ids)):
        return broken(source, place, len(text))
    return Document(source, text, place, integers=isinstance(next(iter(value), ""), int))


def lines_of_ids(lines: Iterable[tuple[int, bytes]], name: str, config: Ingestion) -> Iterator[Document]:
    """Yield a document per line of a text, given with the byte offset of its end; blank lines are none."""
    if config.session_column:
        raise _wrong(
            name,
            f"rows with a column {config.session_column!r}: CSV, JSON, Parquet or Arrow",
            "lines of text",
            "Remove ingestion.session_column, or leave the file out of ingestion.source.",
        )
    start = 0
    for number, (end, line) in enumerate(lines, start=1):
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if text.strip():
            source, place = f"{name}:{number}", f"byte {start:,}"
            yield listed(text, source, place, f"{source} ({place})", config)._replace(unit="line")
        start = end


def of_one_kind(documents: Iterable[Document], name: str) -> Iterator[Document]:
    """Pass on the documents of a file. Raises InputError if some of its ids are integers and others strings."""
    kinds = {True: "integers", False: "strings"}
    first: Document | None = None
    for document in documents:
        if document.text:
            first = first or document
            if document.integers != first.integers:
                raise _wrong(
                    f"{name}: the ids of {document.name} ({document.place})",
                    f"{kinds[first.integers]}, as in {first.name} ({first.place})",
                    kinds[document.integers],
                    "Write all ids as strings, or all as integers.",
                )
        yield document


def _ids(values: list[Any], where: str) -> list[str]:
    """Return ids as text. Raises InputError if one is missing or neither a string nor an integer, or both occur."""
    kinds = {type(value) for value in values}
    if kinds == {str} and all(map(str.strip, values)):
        return values
    if kinds == {int}:
        return list(map(str, values))
    for number, value in enumerate(values, start=1):
        place = f"{where}, item {number}" if len(values) > 1 else where
        if value is None or (isinstance(value, str) and not value.strip()):
            raise _wrong(place, "an id", value, "Leave such rows out, or give the item an id.")
        if type(value) not in (str, int):
            gaps = isinstance(value, float) and (math.isnan(value) or value.is_integer())
            way = "Write it as an integer, and no row without an id." if gaps else "Write it as a string."
            raise _wrong(place, "an id, a string or an integer", value, way)
    if len(kinds) > 1:
        raise _wrong(where, "ids of one kind, strings or integers", values, "Write all ids as strings.")
    return []


def _seconds(value: Any, where: str) -> float:
    """Return a time as a number: seconds of a date, a number as it is."""
    found: Any = value
    if isinstance(value, str):
        try:
            found = float(value)
        except ValueError:
            try:
                found = datetime.fromisoformat(value.strip())
            except ValueError:
                found = None
    if isinstance(found, date):
        whole = found if isinstance(found, datetime) else datetime(found.year, found.month, found.day)
        return (whole if whole.tzinfo else whole.replace(tzinfo=UTC)).timestamp()
    if isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found):
        return float(found)
    raise _wrong(where, "a time: a number, or a date such as 2026-11-30 12:00:00", value, "Set ingestion.time_column.")


def _wrong(where: str, expected: str, found: object, way: str) -> InputError:
    shown = found if isinstance(found, str) and found in ("lines of text", "integers", "strings") else f"{found!r:.60}"
    return InputError(f"{where} cannot be read as items\nexpected  {expected}\nfound     {shown}\n{way}")
