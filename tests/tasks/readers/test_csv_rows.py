"""CSV and TSV: a row that does not fit the header raises an error that gives its place."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers.csv_rows import csv_rows, tsv_rows

CONFIG = Ingestion(source="-", id_column="id")


def of_csv(content: str | bytes) -> list[tuple[str, str | None]]:
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return [(document.source, document.text) for document in csv_rows(stream, "f", CONFIG)]


def of_tsv(content: str) -> list[tuple[str, str | None]]:
    return [(document.source, document.text) for document in tsv_rows(io.BytesIO(content.encode()), "f", CONFIG)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            'id,text\n1,a\n2,"b\n3,c\n',
            "row 2, line 3, byte 12: it is not CSV: a quotation mark is opened in it and never",
        ),
        (
            'id,text\n1,"a\n2,b" c\n3,d\n',
            "row 1, line 2, byte 8: it is not CSV: a quotation mark is opened in it that ends",
        ),
        ('id,text\n1,"a\nb"\n2,"c\n', "row 2, line 4, byte 16: it is not CSV: a quotation mark"),
        ("id,text\n1,a\n2,b,c\n", "row 2, line 3, byte 12: it is not CSV: it has 3 fields where the header has 2"),
        ("id,text\n1,a\n2\n", "row 2, line 3, byte 12: it is not CSV: it has 1 fields where the header has 2"),
        ("id,text\r1,a\r", "row 0, line 1, byte 0: it is not CSV: a carriage return stands outside of quotation marks"),
        ("id,text,text\n1,a,b\n", "f: there are 2 columns 'text'\n"),
        ("id;text\n1;a\n", "f: its header is separated by semicolons\nexpected  commas"),
        ("id\ttext\n1\ta\n", "f: its header is separated by tabs\n(?s:.*)Name it .tsv"),
        (b"id,text,caf\xe9\n1,a,b\n", "f: its header is not UTF-8\n"),
    ],
)
def test_what_is_no_csv_is_told_with_its_row(content: str | bytes, message: str) -> None:
    """The error names the row in which the fault begins, not the row that revealed it."""
    with pytest.raises(InputError, match=message):
        of_csv(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\ttext\n1\ta\n2\tb\tc\n", "row 2, line 3, byte 12: it is not TSV: it has 3 fields where the header has 2"),
        ("id\ttext\n1\n", "row 1, line 2, byte 8: it is not TSV: it has 1 fields"),
        ("id\ttext\ttext\n", "f: there are 2 columns 'text'\n"),
        ("id,text\n1,a\n", "there is no column 'text'\nfound     id,text\n"),
    ],
)
def test_what_is_no_tsv_is_told_with_its_row(content: str, message: str) -> None:
    """A TSV error names the row in which the fault begins."""
    with pytest.raises(InputError, match=message):
        of_tsv(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,text\n", []),
        ("\n\nid,text\n\n1,a\n\n2,b", [("1", "a"), ("2", "b")]),
        (
            'id,text\n1,he said "so"\n2,"she said ""no"",\nand left"\n',
            [("1", 'he said "so"'), ("2", 'she said "no",\nand left')],
        ),
        ("id,,text,\n1,,a,\n", [("1", "a")]),
        (b"id,text\n1,caf\xe9 noir\n2,b\n", [("1", " noir"), ("2", "b")]),
    ],
)
def test_what_is_csv_is_read(content: str | bytes, expected: list[tuple[str, str]]) -> None:
    """A header alone is an empty table; quotation marks within a field are text; unnamed columns are ignored."""
    assert of_csv(content) == expected


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('1\t"Hello," she said.', '"Hello," she said.'),
        ('1\t"a ""quoted"" text"', 'a "quoted" text'),
        ('1\t"Well', '"Well'),
        ('1\t"', '"'),
        ("1\ta, b; c\r", "a, b; c"),
    ],
)
def test_quotation_marks_in_tsv_are_text(line: str, text: str) -> None:
    """Quotation marks are text in TSV, except around a whole field, as Excel writes them."""
    assert of_tsv(f"id\ttext\n{line}\n") == [("1", text)]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20), max_size=5))
def test_a_line_of_tsv_is_a_row(texts: list[str]) -> None:
    """Any texts without tabs and newlines come back as they were written."""
    content = "id\ttext\n" + "".join(f"{number}\tx{text}x\n" for number, text in enumerate(texts))

    assert of_tsv(content) == [(str(number), f"x{text}x") for number, text in enumerate(texts)]


def test_a_quotation_mark_never_closed_takes_no_memory(tmp_path: Path) -> None:
    """After an unclosed quotation mark, at most one row's limit is read of 100 MB."""
    file = tmp_path / "open.csv"
    with open(file, "wb") as stream:
        stream.write(b'id,text\n1,"open\n')
        for _ in range(100):
            stream.write(b"2,some words in a row\n" * 48_000)
    code = (
        "import sys; from pathlib import Path; from configs.schema import Ingestion; "
        "from tasks.readers.reading import read; from tasks.errors import InputError\n"
        "peak = lambda: int(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
        "before = peak()\n"
        "try: list(read(open(sys.argv[1], 'rb'), 'open.csv', Ingestion(source='-')))\n"
        "except InputError as error: print(str(error).splitlines()[0])\n"
        "print(peak() - before)"
    )
    answer = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True)
    said, grown = answer.stdout.splitlines()

    assert said.startswith(
        "open.csv: row 1, line 2, byte 8: it is not CSV: a quotation mark is opened in it and not closed"
    )
    assert int(grown) < 300_000  # kB
