"""Compressed files and archives as plain streams; members that climb out, links and decompression bombs are refused."""

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO, cast

import pyarrow as pa

from tasks._errors import InputError

ARROW_NAMES = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
COMPRESSED = {*ARROW_NAMES, ".xz"}
TEXT = {"", ".txt", ".md", ".rst", ".jsonl", ".csv", ".parquet"}
# what zipfile, lzma and pyarrow raise on bytes that make no sense; tests damage files at random to find more
DAMAGE = (
    EOFError, OSError, ValueError, NotImplementedError, pa.ArrowException,
    lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
GROWTH = 200  # text shrinks to a third or a tenth; a bomb, to a thousandth
HARMLESS = 100_000_000  # bytes that may come out of anything


def suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def is_text(name: str, *, archives: bool = False) -> bool:
    """Whether a file met in a folder or an archive is read: not hidden, and with a known suffix or none."""
    inner = name[: -len(suffix(name))] if suffix(name) in COMPRESSED else name
    known = suffix(inner) in TEXT or (archives and suffix(name) == ".zip")
    return known and not any(part.startswith(".") for part in PurePosixPath(name).parts)


@contextmanager
def clear_errors(name: str) -> Iterator[None]:
    """Damage in the file `name`, in the words of the one who must act."""
    try:
        yield
    except DAMAGE as error:
        raise InputError(
            f"{name} cannot be read: {error}\n"
            "The file is damaged or cut short: fetch it again, or leave it out of ingestion.source."
        ) from error


class Growth:
    """What comes out of a file of `packed` bytes, at any depth, as long as it stays in proportion."""

    def __init__(self, name: str, packed: int) -> None:
        self._name, self._packed = name, packed
        self._plain = 0

    def add(self, plain: int) -> None:
        """So many bytes more. Raises InputError as soon as they are too many."""
        self._plain += plain
        if self._plain > max(HARMLESS, GROWTH * self._packed):
            raise InputError(
                f"{self._name} grows out of all proportion\n"
                f"expected  at most {GROWTH} times its {self._packed:,} bytes\n"
                f"found     {self._plain:,} bytes or more\n"
                "It may be a decompression bomb: unpack it yourself if you trust it."
            )


def inflated(stream: BinaryIO, name: str, growth: Growth) -> tuple[BinaryIO, str]:
    """The stream without its compression, and the name without the suffix that told it."""
    kind = suffix(name)
    if kind not in COMPRESSED:
        return stream, name
    if kind == ".xz":
        plain: Any = lzma.open(stream)  # noqa: SIM115  # left to whoever reads it
    else:
        plain = pa.CompressedInputStream(stream, ARROW_NAMES[kind])  # notices a missing end, as zstandard's does not
    return io.BufferedReader(_Bounded(plain, growth), 1 << 20), name[: -len(kind)]


def members(file: BinaryIO, name: str, growth: Growth) -> Iterator[tuple[BinaryIO, str]]:
    """The text files in a zip archive, in its order, as streams and names."""
    with zipfile.ZipFile(file) as archive:
        inside = [info for info in archive.infolist() if not info.is_dir()]
        for info in inside:
            _refuse_dangerous(name, info)
        growth.add(sum(info.file_size for info in inside))  # zipfile reads no more of a member than it says
        for info in inside:
            if is_text(info.filename):
                with archive.open(info) as member:
                    yield cast(BinaryIO, member), f"{name}/{info.filename}"


def _refuse_dangerous(name: str, info: zipfile.ZipInfo) -> None:
    path = PureWindowsPath(info.filename)  # knows both kinds of slash, and drives
    dangers = {
        "leads out of the archive": path.anchor or ".." in path.parts,
        "is a link": stat.S_ISLNK(info.external_attr >> 16),
        "is encrypted": info.flag_bits & 1,
    }
    for danger in (danger for danger, present in dangers.items() if present):
        raise InputError(
            f"{name}: its member {info.filename!r} {danger}\nThe archive is refused: unpack it yourself and look at it."
        )


class _Bounded(io.RawIOBase):
    """A decompressed stream that counts towards the growth of its file."""

    def __init__(self, plain: Any, growth: Growth) -> None:
        self._plain, self._growth = plain, growth

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._plain.readinto(buffer)
        self._growth.add(count)
        return count
