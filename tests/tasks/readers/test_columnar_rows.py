"""Parquet and Arrow give the same rows, however they are encoded, with only a few rows in memory."""

import gzip
import io
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers import arrow_messages, columnar_rows
from tasks.readers.reading import read

TEXTS = ["été", None, "", "caf\N{LATIN SMALL LETTER E WITH ACUTE} " * 30, "été", "x"] * 60
TYPES = [
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(),
    pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.large_string()),
]  # fmt: skip


def parquet(table: pa.Table, **settings: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **settings)
    return file.getvalue()


def arrow(table: pa.Table, *, stream: bool = False, compression: str | None = None, rows: int = 100) -> bytes:
    file = io.BytesIO()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(file, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return file.getvalue()


def rows(content: bytes, name: str, **settings: object) -> list[tuple[str, str | None]]:
    config = Ingestion(source="-", **settings)
    return [(document.source, document.text) for document in read(io.BytesIO(content), name, config)]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_texts_of_every_type_are_the_same(kind: pa.DataType) -> None:
    """Every string type gives the same texts, in Parquet and in Arrow files and streams, compressed or not."""
    table = pa.table({"id": range(len(TEXTS)), "text": pa.array(TEXTS, pa.string()).cast(kind)})
    expected = [(str(number), text or "") for number, text in enumerate(TEXTS)]
    stream, file = arrow(table, stream=True, compression="zstd"), arrow(table, compression="lz4")

    assert rows(parquet(table), "a.parquet", id_column="id") == expected
    assert rows(gzip.compress(parquet(table)), "a.parquet.gz", id_column="id") == expected
    assert rows(file, "a.feather", id_column="id") == expected
    assert rows(stream, "a.arrows", id_column="id") == expected
    assert rows(gzip.compress(stream), "a.arrow.gz", id_column="id") == expected
    assert rows(arrow(table), "no_suffix", id_column="id") == expected


@given(st.lists(st.text(max_size=9).filter(lambda text: "\0" not in text), max_size=9), st.integers(1, 5))
def test_batches_are_no_matter(texts: list[str], size: int) -> None:
    """The number of rows in a batch or row group does not change the result."""
    texts = [text.encode(errors="ignore").decode() for text in texts]
    table = pa.table({"text": pa.array(texts, pa.string())})
    expected = [(f"a:{number}", text) for number, text in enumerate(texts, start=1)]

    assert rows(arrow(table, rows=size), "a") == expected
    assert rows(parquet(table, row_group_size=size), "a") == expected


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([["a", "b"]]), r"the column 'text' is not text\n.*\nfound     list: .*\nJoin the items of each list"),
        (pa.array([3]), r"the column 'text' is not text\n.*\nfound     int: 3\nSet ingestion\.text_column"),
        (pa.array([{"a": 1}]), r"the column 'text' is not text\n.*\nfound     dict"),
    ],
)
def test_what_is_no_text_is_refused(name: str, column: pa.Array, message: str) -> None:
    """A text column that does not hold strings is refused with advice."""
    table = pa.table({"text": column})

    with pytest.raises(InputError, match=message):
        rows(parquet(table) if name == "a.parquet" else arrow(table), name)


@pytest.mark.parametrize("write", [parquet, arrow])
def test_two_columns_of_one_name_are_refused(write: object) -> None:
    """Two columns with the name of one that is read are refused."""
    table = pa.table([["a"], ["b"], ["c"]], names=["text", "x", "x"])
    assert rows(write(table), "a") == [("a:1", "a")]

    with pytest.raises(InputError, match=r"^a: there are 2 columns 'x'\nexpected  each name once"):
        rows(write(table), "a", id_column="x")


def test_bytes_that_are_not_utf8_cost_a_word() -> None:
    """Invalid bytes in a column cost the word that contains them, as in lines."""
    column = pa.array([b"caf\xe9 noir", b"b"], pa.binary()).view(pa.string())
    table = pa.table({"text": column})

    assert rows(parquet(table), "a") == rows(arrow(table), "a") == [("a:1", " noir"), ("a:2", "b")]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("cut", [4, 9, 40, 200])
def test_a_cut_file_is_damaged(stream: bool, cut: int) -> None:
    """A file cut short is damaged, also between two batches, where pyarrow would see a regular end."""
    content = arrow(pa.table({"text": ["some text"] * 200}), stream=stream)

    with pytest.raises(InputError, match="cannot be read: its Arrow messages end too early"):
        rows(content[:-cut], "a.arrow")


def test_a_batch_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is refused by its declared size, before it is decompressed."""
    content = arrow(pa.table({"text": ["x" * 1000] * 100}), compression="zstd")
    monkeypatch.setattr(arrow_messages, "LARGEST", 50_000)
    assert len(content) < 10_000

    with pytest.raises(InputError, match=r"^a: one batch of its rows is too large\nexpected  at most 50,000 bytes"):
        rows(content, "a")


def test_a_text_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is too long is refused before it is decoded."""
    monkeypatch.setattr(columnar_rows, "LONGEST_ROW", 1000)

    with pytest.raises(InputError, match=r"^a: a text is too long\n"):
        rows(parquet(pa.table({"text": ["x" * 1001]})), "a")


def write_repeated(folder: Path) -> Path:
    """Write a dictionary value of eight megabytes that 3,000 rows refer to."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["word " * 1_600_000]))
    (folder / "a.parquet").write_bytes(parquet(pa.table({"text": column})))
    return folder / "a.parquet"


def write_nulls(folder: Path) -> Path:
    nulls = pa.table({"text": pa.nulls(1_000_000, pa.string())})
    with pq.ParquetWriter(folder / "a.parquet", nulls.schema) as writer:
        for _ in range(100):
            writer.write_table(nulls)
    return folder / "a.parquet"


def write_views(folder: Path) -> Path:
    """Write an Arrow file in which every row refers to the same eight megabytes."""
    data = pa.py_buffer(b"word " * 1_600_000)
    views = pa.py_buffer(struct.pack("<i4sii", data.size, b"word", 0, 0) * 3000)
    column = pa.Array.from_buffers(pa.string_view(), 3000, [None, views, data])
    (folder / "a.arrow").write_bytes(arrow(pa.table({"text": column}), compression="zstd", rows=3000))
    return folder / "a.arrow"


def write_deltas(folder: Path) -> Path:
    """Write texts that each repeat the whole one before."""
    table = pa.table({"text": ["word " * 1_600_000] * 30})
    settings = {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}, "compression": "zstd"}
    with pq.ParquetWriter(folder / "a.parquet", table.schema, **settings) as writer:
        for _ in range(5):
            writer.write_table(table)
    return folder / "a.parquet"


def write_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.txt", b"\n" * 60_000_000)
    return folder / "a.zip"


def write_blank_lines(folder: Path) -> Path:
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(b"\n" * 90_000_000, 1))
    return folder / "a.jsonl.gz"


def write_one_line(folder: Path) -> Path:
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "' + b"x" * 90_000_000 + b'"}', 1))
    return folder / "a.jsonl.gz"


def write_nested(folder: Path) -> Path:
    (folder / "a.json.gz").write_bytes(gzip.compress(b'[{"text": [' + b"[]," * 30_000_000 + b"[]]}]", 1))
    return folder / "a.json.gz"


WRITERS = [
    write_repeated,
    write_nulls,
    write_views,
    write_deltas,
    write_zip,
    write_blank_lines,
    write_one_line,
    write_nested,
]


@pytest.mark.parametrize("write", WRITERS)
def test_a_megabyte_takes_no_gigabyte(tmp_path: Path, write: object) -> None:
    """An input of one megabyte, whatever it expands to, is refused within one minute and one gigabyte."""
    file = write(tmp_path)
    assert file.stat().st_size < 1_100_000
    code = (
        "import sys, time; from configs.schema import Ingestion; from tasks.readers.reading import read\n"
        "from tasks.errors import InputError\n"
        "config = Ingestion(source='-', text_documents='line')\n"
        "try:\n"
        "    for _ in read(open(sys.argv[1], 'rb'), sys.argv[2], config): pass\n"
        "except InputError as error: print(str(error).splitlines()[0])\n"
        "else: print('read')\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
        "print(time.process_time())"
    )
    answer = subprocess.run([sys.executable, "-c", code, file, file.name], capture_output=True, text=True, check=True)
    said, peak, seconds = answer.stdout.splitlines()

    assert "far more than its size" in said or "is too l" in said
    assert int(peak) < 1_000_000  # kB
    assert float(seconds) < 60
