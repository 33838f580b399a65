"""The same texts give the same documents in every format, container and encoding, or the file is refused."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.ingestion.sources import sources
from tasks.readers.formats import READ
from tasks.readers.reading import read

Rows = list[tuple[str, str]]
SIGNS = st.characters(
    exclude_categories=["Cs", "Cc"], include_characters="\n\r\t"
)  # other control characters look like binary data
ROWS: st.SearchStrategy[Rows] = st.lists(
    st.tuples(st.text("ab1é", min_size=1), st.text(SIGNS, max_size=30)), max_size=6
)
LINES = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1), max_size=6)


def json_of(rows: Rows) -> str:
    return json.dumps([dict(zip(("id", "text"), row, strict=True)) for row in rows])


def lines_of(rows: Rows) -> str:
    return "".join(json.dumps({"text": text, "id": id_}, ensure_ascii=False) + "\r\n" for id_, text in rows)


def csv_of(rows: Rows) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("id", "text"), *rows])
    return file.getvalue()


def tsv_of(rows: Rows) -> str:
    return "text\tid\n" + "".join(f"{text}\t{id_}\n" for id_, text in rows)


def columns(rows: Rows) -> pa.Table:
    return pa.table(
        {
            "id": pa.array([id_ for id_, _ in rows], pa.string()),
            "text": pa.array([text for _, text in rows], pa.string()),
        }
    )


def parquet_of(rows: Rows) -> bytes:
    file = io.BytesIO()
    pq.write_table(columns(rows), file)
    return file.getvalue()


def arrow_of(rows: Rows, new: Callable[..., Any] = pa.ipc.new_file) -> bytes:
    file = io.BytesIO()
    with new(file, columns(rows).schema) as writer:
        writer.write_table(columns(rows))
    return file.getvalue()


def stream_of(rows: Rows) -> bytes:
    return arrow_of(rows, pa.ipc.new_stream)


TEXTUAL: dict[str, Callable[[Rows], str]] = {
    ".jsonl": lines_of, ".ndjson": lines_of, ".json": json_of, ".csv": csv_of, ".tsv": tsv_of, ".tab": tsv_of,
}  # fmt: skip
BINARY: dict[str, Callable[[Rows], bytes]] = {
    ".parquet": parquet_of, ".pq": parquet_of, ".arrow": arrow_of, ".feather": arrow_of, ".ipc": arrow_of,
    ".arrows": stream_of,
}  # fmt: skip


def zipped(content: bytes, name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


PROSE = (".txt", ".md", ".rst")
CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress,
}  # fmt: skip


def content(name: str, file: bytes, **config: object) -> Rows:
    return [(each.source, each.text or "") for each in read(io.BytesIO(file), name, Ingestion(source="-", **config))]


@pytest.mark.parametrize("container", [*CONTAINERS, ".zip"])
@settings(max_examples=10)
@given(rows=ROWS, mark=st.booleans())
def test_rows_are_the_same_in_every_format(container: str, rows: Rows, mark: bool) -> None:
    """Rows are the same in all formats and containers, with or without a byte order mark, as far as TSV can be."""
    found = {}
    for suffix, write in TEXTUAL.items():
        whole = all(not set(text) & set("\t\r\n") and '"' not in text and text for _, text in rows)
        if write is not tsv_of or whole:
            found[suffix] = write(rows).encode("utf-8-sig" if mark else "utf-8")
    found |= {suffix: write(rows) for suffix, write in BINARY.items()}

    for suffix, file in found.items():
        name = f"a{suffix}"
        packed = zipped(file, name) if container == ".zip" else CONTAINERS[container](file)
        assert content("a.zip" if container == ".zip" else name + container, packed, id_column="id") == rows, suffix


@pytest.mark.parametrize("container", [*CONTAINERS, ".zip"])
@settings(max_examples=10)
@given(lines=LINES, suffix=st.sampled_from(PROSE))
def test_lines_are_the_same_in_every_container(container: str, suffix: str, lines: list[str]) -> None:
    """Lines are the same in every container, as one document each or together; a byte order mark is not text."""
    text = "\n".join(["prose", *lines])
    plain, name = text.encode("utf-8-sig"), f"a{suffix}"
    packed = zipped(plain, name) if container == ".zip" else CONTAINERS[container](plain)
    name = "a.zip" if container == ".zip" else name + container

    assert [found for _, found in content(name, packed, text_documents="line")] == ["prose", *lines]
    assert [found for _, found in content(name, packed)] == [text]


@pytest.mark.parametrize("container", [*CONTAINERS, ".tgz"])
@pytest.mark.parametrize("suffix", [*PROSE, *TEXTUAL, *BINARY])
def test_a_tar_archive_is_refused(container: str, suffix: str) -> None:
    """Whatever it holds, under its own name or another, compressed or not: how to unpack it is said."""
    file = io.BytesIO()
    rows = (TEXTUAL | BINARY).get(suffix, lambda rows: "prose")([("1", "one two")])
    plain = rows if isinstance(rows, bytes) else rows.encode()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(f"a{suffix}")
        member.size = len(plain)
        archive.addfile(member, io.BytesIO(plain))
    packed = gzip.compress(file.getvalue()) if container == ".tgz" else CONTAINERS[container](file.getvalue())

    for name in ("a.tgz",) if container == ".tgz" else (f"a.tar{container}", f"a{suffix}{container}"):
        with pytest.raises(InputError, match=r" is a (tar archive|gzip file)\nexpected  .*\nfound     .*\n."):
            content(name, packed)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("suffix", ["", ".txt", *TEXTUAL])
def test_other_encodings_are_refused(encoding: str, suffix: str) -> None:
    """Texts and rows in another encoding are refused with its name."""
    rows = [("1", "the miller cleans a kettle"), ("2", "Größe und Maß")]
    file = TEXTUAL.get(suffix, lambda rows: "\n".join(text for _, text in rows))(rows).encode(encoding)

    with pytest.raises(InputError, match=rf"^a{suffix} is {encoding[:6].upper()}"):
        content(f"a{suffix}", file)


def test_every_suffix_of_the_table_is_tried() -> None:
    """The tests above cover every suffix of the table."""
    tried = {*TEXTUAL, *BINARY, *PROSE}

    assert tried == {suffix for each in READ.values() for suffix in each.suffixes}


@pytest.mark.parametrize("suffix", [*TEXTUAL, *BINARY])
def test_every_way_to_a_file_is_the_same(tmp_path: Path, suffix: str) -> None:
    """A file gives the same documents by its name, in a folder, by a pattern and in an archive."""
    rows = [("1", "one two"), ("2", "three")]
    write = (TEXTUAL | BINARY)[suffix]
    file = write(rows)
    plain = file if isinstance(file, bytes) else file.encode()
    (tmp_path / f"a{suffix}").write_bytes(plain)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "b.zip").write_bytes(zipped(plain, f"c{suffix}"))

    for place in (f"a{suffix}", "", "*", f"*{suffix}", "b", "b/b.zip", "**/*.zip"):
        config = Ingestion(source=str(tmp_path / place), id_column="id")
        found = [content(each.name, each.path.read_bytes(), id_column="id") for each in sources(config)]
        assert found == [rows] * (2 if place in ("", "*") else 1), place
