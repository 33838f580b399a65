"""Check the sizes that each message of an Arrow IPC stream or file declares before pyarrow reads it.

The first eight bytes of a compressed buffer declare its plain size, and pyarrow allocates that much unchecked. The
layout is that of Arrow's format documentation (Message.fbs, "Encapsulated message format"), parsed as FlatBuffers.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, cast

from tasks.errors import InputError

FILE = b"ARROW1\0\0"
CONTINUES = b"\xff\xff\xff\xff"
LARGEST = 1 << 28  # bytes of one batch of rows, which is held in memory whole
LONGEST_HEAD = 1 << 24  # bytes of the metadata of one message
DICTIONARY, ROWS = 2, 3  # message types


def messages(stream: BinaryIO, name: str) -> BinaryIO:
    """Return the Arrow file as a stream that raises InputError at a message that is too large or cut short."""
    return cast(BinaryIO, io.BufferedReader(_Passed(_each(stream, name)), 1 << 20))


def _each(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the pieces of an Arrow stream or file, each message after its sizes were checked."""
    file = stream.read(8)
    start = b"" if file == FILE else file
    while True:
        begin = start + stream.read(8 - len(start))
        start = b""
        size = int.from_bytes(begin[4:], "little")
        if len(begin) < 8 or begin[:4] != CONTINUES or size > LONGEST_HEAD:
            raise _cut_short(name)
        yield begin
        if not size:
            break
        head = _read(stream, size, name)
        length = _number(head, _field(head, _root(head), 3), "<q")
        if not 0 <= length <= LARGEST:
            raise _too_large(name, length)
        body = _read(stream, length, name)
        plain = _plain(head, body)
        if plain > LARGEST:
            raise _too_large(name, plain)
        yield head
        yield body
    if file == FILE and not _last(stream).endswith(FILE[:6]):
        raise _cut_short(name)


def _read(stream: BinaryIO, size: int, name: str) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise _cut_short(name)
    return found


def _last(stream: BinaryIO) -> bytes:
    last = b""
    while block := stream.read(1 << 16):
        last = (last + block)[-8:]
    return last


def _plain(head: bytes, body: bytes) -> int:
    """Return how many bytes the buffers of a message take up once decompressed."""
    root = _root(head)
    kind = _number(head, _field(head, root, 1), "<B")
    if kind not in (DICTIONARY, ROWS):
        return len(body)
    batch = _followed(head, _field(head, root, 2))
    if kind == DICTIONARY:
        batch = _followed(head, _field(head, batch, 1))
    if not _field(head, batch, 3):  # no compression
        return len(body)
    buffers = _followed(head, _field(head, batch, 2))
    total = 0
    for number in range(_number(head, buffers, "<I")):
        offset, length = struct.unpack_from("<qq", head, buffers + 4 + 16 * number)
        stated = struct.unpack_from("<q", body, offset)[0] if length >= 8 and offset >= 0 else 0
        total += length if stated == -1 else max(0, stated)
    return total


def _root(head: bytes) -> int:
    return _number(head, 0, "<I")


def _field(head: bytes, table: int, number: int) -> int:
    """Return the offset of a field of a table; 0 if the field is absent."""
    fields = table - _number(head, table, "<i")
    slot = 4 + 2 * number
    if slot >= _number(head, fields, "<H"):
        return 0
    offset = _number(head, fields + slot, "<H")
    return table + offset if offset else 0


def _followed(head: bytes, at: int) -> int:
    return at + _number(head, at, "<I")


def _number(head: bytes, at: int, kind: str) -> int:
    if at == 0 and kind != "<I":
        return 0  # an absent field
    if at < 0:
        raise struct.error("an offset before the beginning")
    return int(struct.unpack_from(kind, head, at)[0])


def _cut_short(name: str) -> InputError:
    return InputError(
        f"{name} cannot be read: its Arrow messages end too early\n"
        "The file is damaged or cut short: fetch it again, or leave it out of ingestion.source."
    )


def _too_large(name: str, size: int) -> InputError:
    return InputError(
        f"{name}: one batch of its rows is too large\nexpected  at most {LARGEST:,} bytes\nfound     {size:,}\n"
        "Write it in smaller batches, such as pyarrow's max_chunksize=65536, or as Parquet."
    )


class _Passed(io.RawIOBase):
    """Present an iterator of byte pieces as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        into = memoryview(buffer)  # type: ignore[arg-type]
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(into), len(self._left))
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
