"""The table of formats that are read, for every way a file arrives; tasks/readers/refused.py has those that are not.

A suffix says what a file should be, its first bytes say what it is. Where they disagree, the file is refused by what
it is, with the way to convert it: its packaging would become vocabulary.
"""

from pathlib import PurePosixPath
from typing import NamedTuple

COMPRESSED = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "Zstandard"}
ZIP = ".zip"


class Format(NamedTuple):
    name: str
    suffixes: tuple[str, ...]
    documents: str  # what one document is
    content: str  # how it is recognised where the name does not say
    strict: str  # what is an error


READ = {
    "text": Format(
        "text", (".txt", ".md", ".rst"), "the file, or a line (`text_documents`)", "anything else that is text",
        "JSON, markup, or another format under such a name",
    ),
    "json lines": Format(
        "JSON lines", (".jsonl", ".ndjson"), "an object", "a first line that is an object",
        "a first line that is no object (an array, a comma at its end, several objects, a part of one); a name twice",
    ),
    "json": Format(
        "JSON", (".json",), "an object: of an array, or one after another", "`[` before an object, or an object over "
        "several lines", "anything that is not JSON, as what follows cannot be told from it; a name twice",
    ),
    "csv": Format(
        "CSV", (".csv",), "a row", "–",
        "a quotation mark that is not closed, more or fewer fields than the header, a column twice",
    ),
    "tsv": Format("TSV", (".tsv", ".tab"), "a line", "–", "more or fewer fields than the header, a column twice"),
    "parquet": Format(
        "Parquet", (".parquet", ".pq"), "a row", "`PAR1`", "a column twice; a text column of anything but strings"
    ),
    "arrow": Format(
        "Arrow IPC, file or stream (Feather 2)", (".arrow", ".arrows", ".feather", ".ipc"), "a row",
        "`ARROW1`, or a schema message", "a column twice; a text column of anything but strings; no end mark",
    ),
}  # fmt: skip
COLUMNAR = {"parquet", "arrow"}

BY_SUFFIX = {suffix: key for key, each in READ.items() for suffix in each.suffixes}
LEFTOVERS = {"__MACOSX", "Thumbs.db", "desktop.ini", "_SUCCESS", "_temporary"}  # of no interest to anybody


def suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def inner(name: str) -> str:
    """The name without the suffix of a compression."""
    return name[: -len(suffix(name))] if suffix(name) in COMPRESSED else name


def hidden(name: str) -> bool:
    """Whether a name is no document's by the customs of Unix, Hadoop and Jekyll."""
    return any(part.startswith((".", "_")) for part in PurePosixPath(name).parts)


def is_text(name: str, *, archives: bool = False) -> bool:
    """Whether a file met in a folder or an archive is read: not hidden, and with a known suffix or none."""
    known = suffix(inner(name)) in {"", *BY_SUFFIX} or (archives and suffix(name) == ZIP)
    return known and not hidden(name)


def is_told(name: str) -> bool:
    """Whether a file that is not read is worth telling."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith(".") or part in LEFTOVERS for part in parts) and suffix(name) != ".crc"


def by_name(name: str) -> str | None:
    """The format that a name promises, if any."""
    return BY_SUFFIX.get(suffix(inner(name)))
