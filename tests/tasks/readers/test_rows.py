"""JSON lines, CSV and Parquet give the same documents; errors name the faulty row."""

import csv
import io
import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers import rows
from tasks.readers.columnar_rows import parquet_rows
from tasks.readers.csv_rows import csv_rows
from tasks.readers.documents import Document
from tasks.readers.json_rows import json_lines

CONFIG = Ingestion(source="-")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def json_file(texts: list[str]) -> io.BytesIO:
    return io.BytesIO("".join(json.dumps({"text": text}) + "\n" for text in texts).encode())


def csv_file(texts: list[str]) -> io.BytesIO:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text"], *([text] for text in texts)])
    return io.BytesIO(file.getvalue().encode())


def parquet_file(texts: object, ids: object = None) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": texts} if ids is None else {"text": texts, "id": ids}), file)
    file.seek(0)
    return file


def content(documents: Iterator[Document]) -> list[tuple[str, str | None]]:
    return [(document.source, document.text) for document in documents]


def places(documents: Iterator[Document]) -> list[tuple[str, str | None, str]]:
    return [(document.source, document.text, document.place) for document in documents]


@given(st.lists(TEXT, max_size=5))
def test_every_format_gives_back_the_texts(texts: list[str]) -> None:
    """Every text that a JSON, CSV or Parquet writer can write is read, row by row, under the row's number."""
    expected = [(f"f:{number}", text) for number, text in enumerate(texts, start=1)]

    assert content(json_lines(json_file(texts), "f", CONFIG)) == expected
    assert content(csv_rows(csv_file(texts), "f", CONFIG)) == expected
    assert content(parquet_rows(parquet_file(pa.array(texts, pa.string())), "f", CONFIG)) == expected


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]
)
def test_parquet_text_of_every_kind(kind: pa.DataType) -> None:
    """Strings of every Parquet type are read; a null is an empty text."""
    column = pa.array(["été", None, "été"], pa.string()).cast(kind)

    assert content(parquet_rows(parquet_file(column), "f", CONFIG)) == [("f:1", "été"), ("f:2", ""), ("f:3", "été")]


@pytest.mark.parametrize(
    ("reader", "file"),
    [
        (json_lines, b'{"id": 7, "text": "a"}\n\n{"text": "b", "id": null}\n'),
        (csv_rows, b"id,text\n7,a\n"),
        (csv_rows, b"\xef\xbb\xbfid,text\r\n7,a\r\n"),
        (json_lines, b'\xef\xbb\xbf{"id": 7, "text": "a"}'),
    ],
)
def test_an_id_names_its_document(reader: object, file: bytes) -> None:
    """The id column replaces file and row; a byte order mark is not part of a column name; a null id is ignored."""
    config = Ingestion(source="-", id_column="id")

    assert content(reader(io.BytesIO(file), "f", config))[0] == ("7", "a")


def test_json_lines_are_told_by_their_byte() -> None:
    """A damaged line is left out alone and reported with its exact place."""
    lines = [b'{"text": "good"}\n', b'{"text": "cut\n', b"\n", b'{"text": "caf\xe9"}\n', b'{"text": "\\ud800"}', b"\n"]

    assert places(json_lines(io.BytesIO(b"".join(lines)), "f", CONFIG)) == [
        ("f:1", "good", "byte 0"),
        ("f:2", None, "byte 30"),  # 17 before the line, 13 inside it: a line cannot end inside a string
        ("f:4", None, "byte 32"),  # 17 + 14 + 1 before the line, which is JSON: only its one word is damaged
        ("f:5", None, "byte 49"),
    ]


@pytest.mark.parametrize(
    ("reader", "file"),
    [
        (json_lines, io.BytesIO(b'{"id": "a\\ud800", "text": "x"}')),
        (csv_rows, io.BytesIO(b"id,text\na\xff,x")),
        (parquet_rows, parquet_file(["x"], pa.array([b"a\xff"]).view(pa.string()))),
    ],
)
def test_an_id_that_is_no_text_is_mended(reader: object, file: io.BytesIO) -> None:
    """An id that is not valid text is repaired and costs no document."""
    assert content(reader(file, "f", Ingestion(source="-", id_column="id"))) == [("a?", "x")]


def test_deep_json_is_no_crash() -> None:
    """A line nested deeper than Python's stack counts as undecodable."""
    assert content(json_lines(io.BytesIO(b"[" * 200_000), "f", CONFIG)) == [("f:1", None)]


def test_csv_rows_are_told_by_their_byte() -> None:
    """The place of a row is where it begins, also after a row of several lines."""
    file = io.BytesIO(b'text\n"one\ntwo"\ncaf\xe9\nlast\n')

    assert places(csv_rows(file, "f", CONFIG)) == [
        ("f:1", "one\ntwo", "byte 5"),
        ("f:2", None, "byte 15"),
        ("f:3", "last", "byte 20"),
    ]


def test_parquet_rows_are_told_by_their_number() -> None:
    """Invalid UTF-8 in a string column costs the row, not the file."""
    column = pa.array([b"one", b"caf\xe9", b"three"], pa.binary()).view(pa.string())

    assert places(parquet_rows(parquet_file(column), "f", CONFIG)) == [
        ("f:1", "one", "row 1"),
        ("f:2", None, "row 2"),
        ("f:3", "three", "row 3"),
    ]


@pytest.mark.parametrize(
    ("reader", "file", "where"),
    [
        (json_lines, io.BytesIO(b'{"id": 1, "body": "x"}'), r"f:1 \(byte 0\)"),
        (csv_rows, io.BytesIO(b"id,body\n1,x\n"), "f"),
        (parquet_rows, parquet_file(["x"]), "f"),
    ],
)
def test_a_missing_column_names_those_found(reader: object, file: io.BytesIO, where: str) -> None:
    """The error names the missing column, those found and the setting to change."""
    config = Ingestion(source="-", text_column="content")

    with pytest.raises(
        InputError, match=rf"^{where}: there is no column 'content'\nfound     \w.*\nSet ingestion.text_c"
    ):
        list(reader(file, "f", config))


def test_a_missing_id_column_is_named() -> None:
    """A missing id column raises the same error as a missing text column."""
    config = Ingestion(source="-", id_column="key")

    with pytest.raises(InputError, match=r"no column 'key'\nfound     text\nSet ingestion\.id_column"):
        list(csv_rows(csv_file(["x"]), "f", config))


@pytest.mark.parametrize(
    ("reader", "file", "found"),
    [
        (json_lines, io.BytesIO(b'{"text": ["a", "b"]}'), r"list: \['a', 'b'\]"),
        (parquet_rows, parquet_file([3]), "int: 3"),
    ],
)
def test_a_column_of_something_else_is_refused(reader: object, file: io.BytesIO, found: str) -> None:
    """Numbers and lists are not text: the error shows one of them."""
    with pytest.raises(InputError, match=rf"'text' is not text\nexpected  a string\nfound     {found}"):
        list(reader(file, "f", CONFIG))


@pytest.mark.parametrize(("reader", "first_line"), [(json_lines, b"    \n"), (csv_rows, b"text\n")])
def test_a_row_without_end_is_refused(reader: object, first_line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is too long is refused before it fills the memory."""
    monkeypatch.setattr(rows, "LONGEST_ROW", 100)

    with pytest.raises(
        InputError,
        match=r"f: the row at byte 5 is too long\nexpected  at most 100 bytes\nCheck that the file has the for",
    ):
        list(reader(io.BytesIO(first_line + b"x" * 200), "f", CONFIG))


def test_a_row_with_too_many_fields_is_refused() -> None:
    """A row with an unquoted comma in a text is refused, since the rest would be lost."""
    with pytest.raises(
        InputError, match=r"f: row 2, line 3, byte 12: it is not CSV: it has 3 fields where the header has 2; texts w"
    ):
        list(csv_rows(io.BytesIO(b"id,text\n1,a\n2,b, and more\n"), "f", CONFIG))


def test_a_quotation_mark_that_is_never_closed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unclosed quotation mark is refused, since it would make one field of the rest of the file."""
    monkeypatch.setattr(rows, "LONGEST_ROW", 100)

    with pytest.raises(
        InputError,
        match=r"f: row 1, line 2, byte 5: it is not CSV: a quotation mark is opened in it and not closed within 100 ",
    ):
        list(csv_rows(io.BytesIO(b'text\n"open\n' + b"word\n" * 50), "f", CONFIG))
