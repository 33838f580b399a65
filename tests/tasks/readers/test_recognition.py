"""A file is recognised by its first bytes, whatever its name, and read or refused accordingly."""

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers.formats import READ, is_reported
from tasks.readers.reading import READERS, read
from tasks.readers.refused import REFUSED

CONFIG = Ingestion(source="-")


def texts(content: bytes, name: str) -> list[str | None]:
    return [document.text for document in read(io.BytesIO(content), name, CONFIG)]


def zipped(*names: str, content: bytes = b"<x/>") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return file.getvalue()


def sqlite(folder: Path) -> bytes:
    with sqlite3.connect(folder / "x.db") as database:
        database.execute("create table texts (text)")
    database.close()
    return (folder / "x.db").read_bytes()


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": ["a text"]}), file)
    return file.getvalue()


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


PROSE = "The miller cleans a kettle. Größe und Maß, здравствуй.\n" * 20
ROWS = b'{"text": "one"}\n{"text": "two"}\n'
OTHER = {
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "Office": zipped("[Content_Types].xml", "word/document.xml"),
    "OpenDocument": zipped("mimetype", content=b"application/vnd.oasis.opendocument.text"),
    "RTF": rb"{\rtf1\ansi some text}",
    "LaTeX": b"% a comment\n\\documentclass{article}\n",
    "HTML": b"<!DOCTYPE html>\n<html><body>text</body></html>",
    "XML": b'<?xml version="1.0"?>\n<feed>text</feed>',
    "XML ": b'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/">\n<page>',
    "WikiExtractor": b'<doc id="1" url="https://x" title="T">\nText\n</doc>\n',
    "WARC": b"WARC/1.0\r\nWARC-Type: response\r\n",
    "e-mail": b"From someone@example.org Mon Jan  1 00:00:00 2026\nSubject: x\n\ntext\n",
    "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nText\n",
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
    "tar": tar(),
    "gzip": gzip.compress(PROSE.encode()),
    "bzip2": bz2.compress(PROSE.encode()),
    "xz": lzma.compress(PROSE.encode()),
    "zip archive": zipped("a.txt"),
    "NumPy": npy(),
    "picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "pickle": b"\x80\x04\x95\x0b\0\0\0\0\0\0\0",
    "program": b"\x7fELF\x02\x01\x01\0",
    "Parquet": parquet(),
    "UTF-16": PROSE.encode("utf-16"),
    "UTF-16LE": PROSE.encode("utf-16-le"),
    "UTF-16BE": PROSE.encode("utf-16-be"),
    "UTF-32": PROSE.encode("utf-32"),
    "UTF-32LE": PROSE.encode("utf-32-le"),
    "UTF-32BE": PROSE.encode("utf-32-be"),
    "binary data": bytes(range(256)) * 40,
    "binary data ": bytes(10_000),
}


@pytest.mark.parametrize("kind", OTHER)
@pytest.mark.parametrize("name", ["a", "a.txt", "a.csv", "a.jsonl", "a.tsv", "a.json", "a.log", "a.txt.gz"])
def test_other_formats_are_refused_by_what_they_are(kind: str, name: str) -> None:
    """Other formats are refused under any suffix and compression; without a suffix, known formats are read."""
    content = gzip.compress(OTHER[kind]) if name.endswith(".gz") else OTHER[kind]
    if kind == "Parquet" and name in ("a", "a.log"):
        assert texts(content, name) == ["a text"]
        return

    with pytest.raises(InputError, match=rf"^{name} is .*{kind.strip()}.*\nexpected  .*\nfound     .*\n."):
        texts(content, name)


def test_a_database_is_refused(tmp_path: Path) -> None:
    """A database is refused with the command that exports a table."""
    with pytest.raises(InputError, match=r"SQLite(?s:.*)sqlite3 -csv"):
        texts(sqlite(tmp_path), "a.csv")


@pytest.mark.parametrize("suffix", [".docx", ".html", ".xml", ".ipynb", ".tex", ".epub", ".mbox"])
def test_a_suffix_alone_is_enough_to_refuse(suffix: str) -> None:
    """A format that begins like text, such as part of a web page, is refused by its suffix."""
    with pytest.raises(InputError, match=rf"^a\{suffix} is "):
        texts(b"some words", f"a{suffix}")


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (ROWS, "part-00000", ["one", "two"]),
        (ROWS, "data.log", ["one", "two"]),
        (ROWS, "a.ndjson", ["one", "two"]),
        (ROWS, "a.json", ["one", "two"]),
        (b'\xef\xbb\xbf[{"text": "one"},\n {"text": "two"}]', "a.json", ["one", "two"]),
        (b'[{"text": "one"}, {"text": "two"}]', "no_suffix", ["one", "two"]),
        (b'{\n "text": "one"\n}\n{\n "text": "two"\n}', "a.json", ["one", "two"]),
        (b"text\nPROSE {\n", "a.csv", ["PROSE {"]),
        (b"{not json}\n", "a.txt", ["{not json}"]),
        (b"[Intro]\nla la\n", "song", ["[Intro]\nla la"]),
        (b"<3 is a heart\n", "a.txt", ["<3 is a heart"]),
        (b'<p align="center">A readme</p>\n', "a.md", ['<p align="center">A readme</p>']),
        (b"MZ is a country code, BM another\n", "a.txt", ["MZ is a country code, BM another"]),
        (b"From here on: text\n", "a.txt", ["From here on: text"]),
        (b"PDFs are odd %PDF-\n", "a.txt", ["PDFs are odd %PDF-"]),
        (b"form\x0cfeed, \x1b[1mcolour\n", "a.txt", ["form\x0cfeed, \x1b[1mcolour"]),
        ("市长江大桥".encode(), "a.txt", ["市长江大桥"]),
    ],
)
def test_what_is_text_or_rows_is_read(content: bytes, name: str, expected: list[str]) -> None:
    """JSON is recognised by its first records; prose that only resembles a format stays prose."""
    assert texts(content, name) == expected


@pytest.mark.parametrize(
    ("name", "meant"), [("a.txt", ".jsonl"), ("a.md", ".jsonl"), ("a.csv", ".jsonl"), ("b.rst", ".json")]
)
def test_json_under_another_name_is_refused(name: str, meant: str) -> None:
    """JSON under another suffix is refused, since its keys and ids would lead the vocabulary."""
    content = ROWS if meant == ".jsonl" else json.dumps([{"text": "one"}]).encode()

    with pytest.raises(InputError, match=rf"^{name} is JSON(?s:.*)Name it \{meant}\.$"):
        texts(content, name)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.gz", b"plain", "text"),
        ("a.txt.xz", gzip.compress(b"x", mtime=0), "a gzip file"),
        ("a.zst", zipped("a"), "a zip archive"),
    ],
)
def test_a_compression_that_is_none_is_told(name: str, content: bytes, what: str) -> None:
    """A file that is not compressed as its suffix states is refused by its true format, not as damaged."""
    with pytest.raises(InputError, match=rf"^{name} is {what}\nexpected  .*, as its suffix says"):
        texts(content, name)


@pytest.mark.parametrize(
    "content", [zipped("[Content_Types].xml", "word/document.xml"), b"plain text", gzip.compress(b"x", mtime=0)]
)
def test_a_zip_that_is_none_is_told(content: bytes) -> None:
    """A Word document is refused by name, although it is a zip archive."""
    with pytest.raises(InputError, match=r"^a\.zip is .*\nexpected  a zip archive\n"):
        texts(content, "a.zip")


@pytest.mark.parametrize(
    "name", ["a.txt", "a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet", "a.arrow", "a", "a.txt.gz", "a.zip"]
)
def test_a_file_of_no_bytes_is_no_document(name: str) -> None:
    """An empty file, such as Spark's `_SUCCESS`, gives no document."""
    content = gzip.compress(b"") if name.endswith(".gz") else b""

    assert texts(content, name) == []


def test_each_format_has_a_reader() -> None:
    """Each format has a reader, and no suffix occurs twice."""
    suffixes = [suffix for each in (*READ.values(), *REFUSED) for suffix in each.suffixes]

    assert READERS.keys() == READ.keys()
    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.png", True), ("_draft.txt", True), ("b/x.pdf", True), ("_SUCCESS", False), (".part-00000.crc", False),
        (".DS_Store", False), ("__MACOSX/._a.txt", False), (".git/HEAD", False), ("part-00000.crc", False),
    ],
)  # fmt: skip
def test_leftovers_are_not_told(name: str, told: bool) -> None:
    """Skipped files are reported, except leftovers of programs."""
    assert is_reported(name) == told
