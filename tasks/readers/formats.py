"""The table of formats that are read, whichever way a file arrives; tasks/readers/refused.py lists the others.

A suffix states what a file should be, its first bytes show what it is. If they disagree, the file is refused, with the
way to convert it: otherwise its markup would become vocabulary.
"""

from pathlib import PurePosixPath
from typing import NamedTuple

COMPRESSED = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "Zstandard"}
ZIP = ".zip"


class Format(NamedTuple):
    """A format that is read, as docs/reference/formats.md shows it."""

    name: str
    suffixes: tuple[str, ...]
    documents: str  # the unit of one document
    content: str  # how it is recognised without a suffix
    strict: str  # what raises an error


READ = {
    "text": Format(
        "text",
        (".txt", ".md", ".rst"),
        "the file, or a line (`text_documents`)",
        "anything else that is text",
        "JSON, markup, or another format under such a name",
    ),
    "json lines": Format(
        "JSON lines",
        (".jsonl", ".ndjson"),
        "an object",
        "a first line that is an object",
        "a first line that is not one object (an array, several objects, part of one, a final comma); a duplicate name",
    ),
    "json": Format(
        "JSON",
        (".json",),
        "an object: of an array, or one after another",
        "`[` before an object, or an object over several lines",
        "anything that is not JSON, as nothing after it can be parsed; a duplicate name",
    ),
    "csv": Format(
        "CSV",
        (".csv",),
        "a row",
        "–",
        "an unclosed quotation mark, more or fewer fields than the header, a duplicate column",
    ),
    "tsv": Format("TSV", (".tsv", ".tab"), "a line", "–", "more or fewer fields than the header, a duplicate column"),
    "parquet": Format(
        "Parquet", (".parquet", ".pq"), "a row", "`PAR1`", "a duplicate column; a text column that is not of strings"
    ),
    "arrow": Format(
        "Arrow IPC, file or stream (Feather 2)",
        (".arrow", ".arrows", ".feather", ".ipc"),
        "a row",
        "`ARROW1`, or a schema message",
        "a duplicate column; a text column that is not of strings; no end mark",
    ),
}
COLUMNAR = {"parquet", "arrow"}

BY_SUFFIX = {suffix: key for key, each in READ.items() for suffix in each.suffixes}
LEFTOVERS = {"__MACOSX", "Thumbs.db", "desktop.ini", "_SUCCESS", "_temporary"}  # never reported


def suffix(name: str) -> str:
    """Return the last suffix of the name in lower case, with its dot."""
    return PurePosixPath(name).suffix.lower()


def inner(name: str) -> str:
    """Return the name without the suffix of its compression."""
    return name[: -len(suffix(name))] if suffix(name) in COMPRESSED else name


def hidden(name: str) -> bool:
    """Return True if a name is hidden by the conventions of Unix, Hadoop or Jekyll."""
    return any(part.startswith((".", "_")) for part in PurePosixPath(name).parts)


def is_text(name: str, *, archives: bool = False) -> bool:
    """Return True if a file found in a folder or archive is read: not hidden, with a known suffix or none."""
    known = suffix(inner(name)) in {"", *BY_SUFFIX} or (archives and suffix(name) == ZIP)
    return known and not hidden(name)


def is_reported(name: str) -> bool:
    """Return True if a skipped file is to be reported."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith(".") or part in LEFTOVERS for part in parts) and suffix(name) != ".crc"


def by_name(name: str) -> str | None:
    """Return the key of the format that a name's suffix promises, or None."""
    return BY_SUFFIX.get(suffix(inner(name)))
