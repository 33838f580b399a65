"""Items: ids are taken as they are, from lists, lines and tables; what is no id is refused with its place."""

import io
import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers.documents import Document
from tasks.readers.reading import read

BASKETS = [["Red wine, 75 cl", "CHÂTEAU X"], ["  a\tb\nc ", "#1", "été", "e\u0301"], ["one"]]


def parquet(**columns: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def arrow(**columns: object) -> bytes:
    file, table = io.BytesIO(), pa.table(columns)
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def found(content: bytes | str, name: str, **settings: object) -> list[Document]:
    config = Ingestion(**{"source": "-", "kind": "items", "text_column": "items", **settings})
    return list(read(io.BytesIO(content if isinstance(content, bytes) else content.encode()), name, config))


def lists(documents: list[Document]) -> list[list[str]]:
    return [(document.text or "").split("\0") for document in documents]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.parquet", parquet(items=BASKETS)),
        ("b.arrow", arrow(items=BASKETS)),
        ("b.jsonl", "".join(json.dumps({"items": basket}) + "\n" for basket in BASKETS)),
        ("b.json", json.dumps([{"items": basket} for basket in BASKETS], indent=1)),
        ("b.json", json.dumps(BASKETS)),
        ("b.jsonl", "".join(json.dumps(basket) + "\n" for basket in BASKETS)),
    ],
)
def test_lists_are_taken_as_they_are(name: str, content: bytes | str) -> None:
    """Blanks, punctuation, case and decomposed letters stay, in a column of every format and in bare arrays."""
    assert lists(found(content, name)) == BASKETS


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.uint8()])
def test_integers_are_ids(kind: pa.DataType) -> None:
    """They become their digits, in Parquet as in JSON."""
    column = pa.array([[12, 7], [], [0]], pa.list_(kind))

    assert lists(found(parquet(items=column), "b.parquet")) == [["12", "7"], [""], ["0"]]
    assert lists(found('{"items": [12, 7]}\n', "b.jsonl")) == [["12", "7"]]


def test_lines_are_split_at_the_separator() -> None:
    """By default at white space, otherwise only there; blank lines are no sessions."""
    assert lists(found("a b\tc\r\n\n d-1 \n", "b.txt")) == [["a", "b", "c"], ["d-1"]]
    assert lists(found("red wine|Bread\n", "b.txt", separator="|")) == [["red wine", "Bread"]]
    assert lists(found("items\na;b c\n", "b.csv", separator=";")) == [["a", "b c"]]


def event(content: bytes | str, name: str = "log.csv", **settings: object) -> Document:
    (document,) = found(content, name, **{"session_column": "s", "time_column": "t", **settings})
    return document


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("12", 12.0), ("1970-01-02", 86400.0), ("1970-01-01 01:00:00+01:00", 0.0), ("1970-01-01T00:00:01Z", 1.0)],
)
def test_times_of_every_kind_are_ordered(time: str, seconds: float) -> None:
    """Numbers as they are, dates as seconds, those without a zone in UTC."""
    assert event(f"s,items,t\n7,Tea (green),{time}\n") == Document(
        "7", "Tea (green)", "byte 10", time=seconds, integers=False
    )


def test_a_timestamp_of_parquet_is_a_time() -> None:
    """So is a date."""
    timestamp, day = pa.array([1_500_000_000], pa.timestamp("ns")), pa.array([1], pa.date32())

    assert [event(parquet(s=[7], items=[3], t=t), "log.parquet").time for t in (timestamp, day)] == [1.5, 86400.0]


REFUSED: list[tuple[str, Callable[[], object], str]] = [
    (
        "a null in a list",
        lambda: found(parquet(items=[["a", None]]), "b.parquet"),
        "item 2 cannot be.*\n.*an id\n.*None",
    ),
    ("an empty id", lambda: event("s,items,t\n1,,2\n"), r"log\.csv:1 \(byte 10\).*'items' cannot(.*\n)+found     ''"),
    ("no session", lambda: event("s,items,t\n,a,2\n"), "the column 's' cannot be read as items\nexpected  an id"),
    ("no time", lambda: event("s,items,t\n1,a,soon\n"), "expected  a time(.*\n)+found     'soon'"),
    ("a missing column", lambda: event("s,items\n1,a\n"), r"no column 't'\nfound     s, items\nSet ingestion\.time_"),
    ("both kinds in a list", lambda: found('{"items": ["a", 1]}\n', "b.jsonl"), "expected  ids of one kind"),
    (
        "both kinds in a file",
        lambda: found('{"items": ["a"]}\n{"items": []}\n{"items": [1]}\n', "b.jsonl"),
        r"b\.jsonl:3 \(byte 31\).*\nexpected  strings, as in b\.jsonl:1.*\nfound     integers",
    ),
    ("gaps", lambda: found(parquet(items=[[1.0]]), "b.parquet"), "found     1.0\nWrite it as an integer"),
    ("a truth", lambda: found('{"items": [true]}\n', "b.jsonl"), "an id, a string or an integer\nfound     True"),
    ("one id a row", lambda: found(parquet(items=[1]), "b.parquet"), "name its session's column: ingestion.session_"),
    ("a list of a session", lambda: event('{"s": 1, "t": 1, "items": ["a"]}\n', "b.jsonl"), "Remove ingestion.session"),
    ("lines with sessions", lambda: event("a b c\n", "b.txt"), "rows with a column 's'"),
]


@pytest.mark.parametrize(("work", "message"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_what_is_no_id_is_refused(work: Callable[[], object], message: str) -> None:
    """The error names file, row and column, what was expected and found, and what to do."""
    with pytest.raises(InputError, match=message):
        work()


def test_a_row_with_damaged_bytes_is_left_out_whole() -> None:
    """Half a basket would teach the wrong neighbours; the row is counted as undecodable."""
    first, second = found(b"caf\xc3 tea\nmilk bread\n", "b.txt")

    assert (first.text, first.place, second.text) == (None, "byte 0", "milk\0bread")
