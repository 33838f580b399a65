"""Compressed files and archives are read like plain files, and refused when they are damaged or dangerous."""

import bz2
import gzip
import io
import lzma
import stat
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers import archives
from tasks.readers.archives import is_text
from tasks.readers.reading import read

CONFIG = Ingestion(source="-")
TEXT = "Ein Text mit Größe,\nund mehr. " * 200
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}


def text_of(content: bytes, name: str) -> list[tuple[str, str | None]]:
    return [(document.name, document.text) for document in read(io.BytesIO(content), name, CONFIG)]


def zipped(*members: tuple[str | zipfile.ZipInfo, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return file.getvalue()


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_text_is_read(suffix: str) -> None:
    """Compressed text is read, also from two compressed files joined by `cat a.gz b.gz`."""
    packed = COMPRESS[suffix](TEXT.encode())

    assert text_of(packed, f"a.txt{suffix}") == [(f"a.txt{suffix}", TEXT)]
    assert text_of(packed + packed, f"a{suffix}") == [(f"a{suffix}", TEXT + TEXT)]


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("damage", ["truncated", "no such format"])
def test_damaged_files_are_named(suffix: str, damage: str) -> None:
    """A file cut short, or under another format's suffix, raises an error that names it; no text is lost silently."""
    packed = COMPRESS[suffix](TEXT.encode())[:-9] if damage == "truncated" else b"plain text after all"
    said = {"truncated": r"cannot be read: .+\nThe file is damaged or cut short: fetch", "no such format": "is text\n"}

    with pytest.raises(InputError, match=rf"^a\.txt\{suffix} {said[damage]}"):
        text_of(packed, f"a.txt{suffix}")


@pytest.mark.parametrize("content", [zipped(("a.txt", TEXT))[:-9], b"PK\x03\x04 and no more"])
def test_a_damaged_zip_is_named(content: bytes) -> None:
    """A truncated archive, which has no directory, raises an error that names it."""
    with pytest.raises(InputError, match=r"^a\.zip cannot be read: File is not a zip file\nThe file is damaged"):
        text_of(content, "a.zip")


def test_damage_inside_a_zip_is_noticed() -> None:
    """A damaged member fails its checksum and raises an error."""
    content = zipped(("a.txt", TEXT)).replace(zipped(("a.txt", TEXT))[40:44], b"????", 1)

    with pytest.raises(InputError, match=r"^a\.zip cannot be read: "):
        text_of(content, "a.zip")


def test_members_that_are_text_are_read() -> None:
    """Members with a known suffix or none are read in order; pictures and hidden files are skipped."""
    content = zipped(
        ("b.txt", "b"), ("text8", "8"), ("x.png", "\0"), ("__MACOSX/._b.txt", "\0"), ("c/d.jsonl", '{"text":"d"}')
    )

    assert text_of(content, "a.zip") == [("a.zip/b.txt", "b"), ("a.zip/text8", "8"), ("a.zip/c/d.jsonl:1", "d")]


@pytest.mark.parametrize(
    "name",
    ["../up.txt", "a/../../up.txt", "/etc/absolute.txt", "..\\windows.txt", "C:\\windows.txt", "\\\\host\\x.txt"],
)
def test_members_that_climb_out_are_refused(name: str) -> None:
    """An archive with a member path that leads out of it is refused whole, although nothing is unpacked."""
    with pytest.raises(
        InputError, match=r"^a\.zip: its member '.*\.txt' leads out of the archive\nThe archive is refused"
    ):
        text_of(zipped(("good.txt", "x"), (name, "x")), "a.zip")


def test_links_in_archives_are_refused() -> None:
    """An archive with a symbolic link, a member whose content is a path, is refused."""
    link = zipfile.ZipInfo("innocent.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16

    with pytest.raises(InputError, match=r"^a\.zip: its member 'innocent\.txt' is a link\n"):
        text_of(zipped((link, "/etc/passwd")), "a.zip")


def test_encrypted_archives_are_refused() -> None:
    """An encrypted archive is refused."""
    content = bytearray(zipped(("a.txt", "x")))
    content[content.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(InputError, match=r"^a\.zip: its member 'a\.txt' is encrypted\n"):
        text_of(bytes(content), "a.zip")


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.bz2", "a.txt.xz", "a.txt.zst", "a.zip"])
def test_bombs_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that unpacks to more than 200 times its size is refused before it is read whole; small ones pass."""
    text = "boom " * 200_000
    content = zipped(("a.txt", text)) if name == "a.zip" else COMPRESS[Path(name).suffix](text.encode())

    assert len(text_of(content, name)) == 10  # one million bytes are below the limit
    monkeypatch.setattr(archives, "HARMLESS", 1000)
    with pytest.raises(
        InputError, match=rf"^{name} unpacks to far more than its size\nexpected  at most 200 times its \d"
    ):
        text_of(content, name)


def test_text_that_shrinks_to_a_twentieth_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and tables that compress to a twentieth are read."""
    monkeypatch.setattr(archives, "HARMLESS", 1000)
    text = "".join(
        f"2026-01-{n % 28:02d} the job number {n} has ended well, as it does each night. " for n in range(20_000)
    )
    packed = lzma.compress(text.encode())

    assert len(text) > 20 * len(packed)
    assert "".join(found or "" for _, found in text_of(packed, "a.txt.xz")) == text


def test_a_bomb_in_layers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacked bytes are counted over all layers together, so that nested compressions are refused, too."""
    monkeypatch.setattr(archives, "HARMLESS", 1000)
    inner = gzip.compress(b"boom " * 400) * 500
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt.gz", inner)

    assert len(text_of(inner, "a.txt.gz")) == 10
    assert len(inner) < 200 * len(file.getvalue())
    with pytest.raises(InputError, match=r"^a\.zip unpacks to far more than its size"):
        text_of(file.getvalue(), "a.zip")


def test_a_member_that_is_larger_than_it_says_is_damage() -> None:
    """A member larger than its declared size counts as damage."""
    content = zipped(("a.txt", "boom " * 100_000)).replace((500_000).to_bytes(4, "little"), (500).to_bytes(4, "little"))

    with pytest.raises(InputError, match=r"^a\.zip cannot be read: Bad CRC-32"):
        text_of(content, "a.zip")


def parquet(text: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": [text] * 3}), file)
    return file.getvalue()


WHOLE = {
    **{f"a.txt{suffix}": compress(TEXT.encode()) for suffix, compress in COMPRESS.items()},
    "a.zip": zipped(("a.txt", TEXT)),
    "a.parquet": parquet(TEXT),
}


@pytest.mark.parametrize("name", WHOLE)
@given(data=st.data())
def test_no_damage_is_a_crash(name: str, data: st.DataObject) -> None:
    """A file cut anywhere, or with any byte changed, is read or refused with a message."""
    content = bytearray(WHOLE[name])
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))

    with suppress(InputError):
        text_of(bytes(content if data.draw(st.booleans()) else content[:cut]), name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", True), ("a/B.TXT", True), ("wiki_00", True), ("a.jsonl.gz", True), ("a.gz", True),
        ("a.parquet", True), ("a.png", False), ("a.py", False), (".git/HEAD", False), (".hidden.txt", False),
        ("a.tar.gz", False), ("a.zip", False),
    ],
)  # fmt: skip
def test_what_is_read_of_a_folder(name: str, expected: bool) -> None:
    """Files with a known suffix or none are read; hidden files and nested archives are not."""
    assert is_text(name) == expected
