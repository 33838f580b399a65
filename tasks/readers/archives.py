"""Open compressed files and archives as plain streams; refuse unsafe paths, links and decompression bombs."""

import io
import lzma
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO, cast

import pyarrow as pa

from tasks.errors import InputError
from tasks.readers.formats import BY_SUFFIX, is_reported, is_text, suffix

ARROW_NAMES = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
# the errors that zipfile, lzma and pyarrow raise on damaged bytes; tests damage files at random to find more
DAMAGE = (
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    pa.ArrowException,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
GROWTH = 200  # the largest allowed ratio: text compresses to a third or a tenth, a bomb to a thousandth
HARMLESS = 100_000_000  # bytes that any file may unpack to, whatever its ratio
LINE = 64  # bytes added for each line or row, since each also costs time
IN_MEMORY = 1 << 26  # bytes of a seekable copy; a larger one is a temporary file


@contextmanager
def clear_errors(name: str) -> Iterator[None]:
    """Turn errors from reading the file `name` into an InputError that names the cause and the next step."""
    try:
        yield
    except (PermissionError, IsADirectoryError, FileNotFoundError) as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror}\nFix its permissions, or leave it out of ingestion.source."
        ) from error
    except NotImplementedError as error:
        raise InputError(
            f"{name} cannot be read: {error}\n"
            "It uses a feature of the format that is not supported: write it again with the usual settings."
        ) from error
    except DAMAGE as error:
        raise InputError(
            f"{name} cannot be read: {error}\n"
            "The file is damaged or cut short: fetch it again, or leave it out of ingestion.source."
        ) from error


class Growth:
    """Limit how many bytes a file of `packed` bytes may unpack to, across all nesting levels."""

    def __init__(self, name: str, packed: int) -> None:
        self._name, self._packed = name, packed
        self._plain = 0

    def add(self, plain: int) -> None:
        """Count `plain` more bytes. Raises InputError if the total exceeds the limit."""
        self._plain += plain
        self.check(self._plain)

    def check(self, plain: int) -> None:
        """Raises InputError if `plain` bytes exceed the limit."""
        if plain > max(HARMLESS, GROWTH * self._packed):
            raise InputError(
                f"{self._name} unpacks to far more than its size\n"
                f"expected  at most {GROWTH} times its {self._packed:,} bytes\n"
                f"found     {plain:,} bytes or more\n"
                "It may be a decompression bomb: unpack it yourself if you trust it."
            )


def peeked(stream: BinaryIO, size: int) -> tuple[bytes, BinaryIO]:
    """Return the first `size` bytes (or fewer) and a buffered stream that still begins with them."""
    head = b""
    while len(head) < size and (more := stream.read(size - len(head))):
        head += more
    if stream.seekable():
        stream.seek(0)
        return head, stream
    return head, cast(BinaryIO, io.BufferedReader(_Rejoined(head, stream), 1 << 20))


def inflated(stream: BinaryIO, name: str, growth: Growth) -> BinaryIO:
    """Return the decompressed stream, unbuffered; the suffix of `name` gives the compression."""
    if suffix(name) == ".xz":
        plain: Any = lzma.open(stream)  # noqa: SIM115  # the reader closes it
    else:
        # raises at a missing end; zstandard's own stream does not
        plain = pa.CompressedInputStream(stream, ARROW_NAMES[suffix(name)])
    return cast(BinaryIO, _Bounded(plain, growth))


def members(file: BinaryIO, name: str, growth: Growth) -> Iterator[tuple[BinaryIO, str]]:
    """Yield the text files of a zip archive, in its order, as pairs of unbuffered stream and name."""
    with zipfile.ZipFile(file) as archive:
        inside = [info for info in archive.infolist() if not info.is_dir()]
        for info in inside:
            _refuse_dangerous(name, info)
        growth.check(sum(info.file_size for info in inside))  # zipfile reads no more of a member than its declared size
        texts = [info for info in inside if is_text(info.filename)]
        if not texts and any(is_reported(info.filename) for info in inside):
            raise InputError(no_text(name, [info.filename for info in inside]))
        for info in texts:
            with archive.open(info) as member:
                yield cast(BinaryIO, _Bounded(member, growth)), f"{name}/{info.filename}"


def unread_members(file: BinaryIO) -> list[str]:
    """Return the names of the files in a zip archive that are skipped, without leftovers such as `.DS_Store`."""
    with zipfile.ZipFile(file) as archive:
        names = [info.filename for info in archive.infolist() if info.file_size and not info.is_dir()]
    return [name for name in names if not is_text(name) and is_reported(name)]


@contextmanager
def sought(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Yield a seekable stream of the same content; a decompressed one is copied to memory, or to a file if large."""
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
        copy.seek(0)
        yield cast(BinaryIO, copy)


def no_text(place: Path | str, names: Sequence[str]) -> str:
    """Return the error message for a place that holds no file known as text."""
    kinds = sorted({suffix(name) for name in names})
    return (
        f"{place}: no file here is known as text\n"
        f"expected  {', '.join(sorted(BY_SUFFIX))}, also compressed or zipped, or names without a suffix\n"
        f"found     {', '.join(kinds) or 'no files'}\nName such files one by one or with a glob to read them as text."
    )


def _refuse_dangerous(name: str, info: zipfile.ZipInfo) -> None:
    """Raises InputError if a member leaves the archive, is a link, or is encrypted."""
    path = PureWindowsPath(info.filename)  # parses both kinds of slash, and drive letters
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
    """A decompressed stream that counts every byte read towards the limit of its file."""

    def __init__(self, plain: Any, growth: Growth) -> None:
        self._plain, self._growth = plain, growth

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._plain.readinto(buffer)
        self._growth.add(count + LINE * bytes(buffer[:count]).count(b"\n"))
        return count


class _Rejoined(io.RawIOBase):
    """A stream of `head`, which was read already, followed by `rest`."""

    def __init__(self, head: bytes, rest: Any) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._head:
            count: int = self._rest.readinto(buffer)
            return count
        part = self._head[: len(buffer)]
        buffer[: len(part)] = part
        self._head = self._head[len(part) :]
        return len(part)
