"""Recognise a file by its first bytes: as a format that is read, or raise an error that names it and a conversion."""

import codecs
import json
import re

from tasks.errors import InputError
from tasks.readers.formats import COLUMNAR, COMPRESSED, READ, by_name, inner, suffix
from tasks.readers.refused import REFUSED_SUFFIX, known_as

HEAD = 1 << 14  # bytes that are examined
ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
CONTROL = re.compile(rb"[\0-\x06\x0e-\x1a\x1c-\x1f]")
MANY = 0.02  # share of control characters
BINARY = "binary data of an unknown format"


def recognised(head: bytes, name: str) -> str:
    """Return the key of the format in which a file of this name and beginning is read. Raises InputError if refused."""
    promised = by_name(name)
    found = _columnar(head)
    if found and promised in (None, found):
        return found
    if found:
        suffixes = READ[found].suffixes
        raise InputError(_other(name, READ[found].name, f"Name it {suffixes[0]}, to read it as such."))
    if magic := known_as(head):
        raise InputError(_other(name, magic.name, magic.way))
    if encoding := _encoding(head):
        raise InputError(_other(name, encoding, f"iconv -f {encoding} -t UTF-8 FILE > NEW"))
    if len(CONTROL.findall(head)) > max(2, MANY * len(head)):
        raise InputError(_other(name, BINARY, "Leave it out of ingestion.source, or write its text out as UTF-8."))
    shape = _json(head)
    if promised in COLUMNAR:
        raise InputError(
            _other(name, "text", f"It does not begin as {READ[str(promised)].name} does: give it the right suffix.")
        )
    if promised in (None, "text") and suffix(inner(name)) in REFUSED_SUFFIX:
        refused = REFUSED_SUFFIX[suffix(inner(name))]
        raise InputError(_other(name, refused.name, refused.way))
    if promised in ("text", "csv", "tsv") and shape:
        raise InputError(_other(name, READ[shape].name, f"Name it {READ[shape].suffixes[0]}."))
    return promised or shape or "text"


def refuse_uncompressed(head: bytes, name: str) -> None:
    """Raises InputError if a file with the suffix of a compression begins as something else."""
    kind = COMPRESSED[suffix(name)]
    magic = known_as(head)
    if magic and kind in magic.name:
        return
    found = _columnar(head)
    what = READ[found].name if found else magic.name if magic else _encoding(head) or _plain(head)
    if what:
        raise InputError(
            _other(name, what, "Give it the right suffix, or fetch it again.", f"{kind}, as its suffix says")
        )


def refuse_no_zip(head: bytes, name: str) -> None:
    """Raises InputError if a file named .zip is recognised as something else."""
    magic = known_as(head)
    if (magic is None or magic.name == "a zip archive") and not _plain(head):
        return
    way = magic.way if magic else "Give it the right suffix, or fetch it again."
    raise InputError(_other(name, magic.name if magic else "text", way, "a zip archive"))


def _plain(head: bytes) -> str:
    return "text" if not CONTROL.search(head) else ""


def _other(name: str, what: str, way: str, expected: str = "") -> str:
    known = by_name(name)
    expected = expected or (READ[known].name if known else "text, or a format of docs/reference/formats.md")
    return f"{name} is {what}\nexpected  {expected}\nfound     {what}\n{way}"


def _columnar(head: bytes) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    stream = head[:4] == b"\xff\xff\xff\xff" and 0 < int.from_bytes(head[4:8], "little") < 1 << 24
    return "arrow" if stream or head.startswith(b"ARROW1\0\0") else ""


def _encoding(head: bytes) -> str:
    """Return UTF-16 or UTF-32, by the byte order mark or by the positions of zeros; empty for possible UTF-8."""
    for mark, encoding in ENCODINGS:
        if head.startswith(mark):
            return encoding
    first, second, third, fourth = (head[start::4].count(0) / max(1, len(head) // 4) for start in range(4))  # zeros
    if min(third, fourth) > 0.9 and first < 0.5:
        return "UTF-32LE"
    if min(first, second) > 0.9 and fourth < 0.5:
        return "UTF-32BE"
    even, odd = (first + third) / 2, (second + fourth) / 2
    if max(even, odd) > 0.3 and min(even, odd) < 0.1:
        return "UTF-16BE" if even > odd else "UTF-16LE"
    return ""


def _json(head: bytes) -> str:
    """Return "json lines", "json" or ""; a first object longer than the beginning counts as a line."""
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    line, end, _ = text.partition("\n")
    if re.match(r'\[\s*\{\s*"', text) or re.match(r"\[\s*\{\s*\}", text):
        return "json"
    if not re.match(r'\{\s*["}]', text):
        return ""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        whole = not end and len(head) < HEAD
        if re.match(r'\{\s*\n\s*"', text) or (isinstance(error, json.JSONDecodeError) and error.msg == "Extra data"):
            return "json"
        return "json lines" if re.match(r'\{\s*"[^"]*"\s*:', text) and not whole else ""
    return "json lines" if isinstance(value, dict) else ""
