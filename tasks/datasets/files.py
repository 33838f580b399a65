"""Digests of files, and writing files so that they appear whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from tasks.errors import StoreError


def digest_of(value: Any) -> str:
    """Return the BLAKE2b-128 digest of a JSON value as 32 hex digits."""
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


def digest_of_stream(stream: BinaryIO) -> str:
    """Return the BLAKE2b-128 digest of the rest of a stream as 32 hex digits."""
    digest = blake2b(digest_size=16)
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the BLAKE2b-128 digest of a file's content as 32 hex digits."""
    with open(path, "rb") as stream:
        return digest_of_stream(stream)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to, then rename it, so that the file appears whole or not at all."""
    beside = path.with_name(path.name + ".partial")
    yield beside
    sync(beside)
    os.replace(beside, path)
    sync(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    with whole(path) as beside:
        beside.write_bytes(content)


@contextmanager
def undamaged(path: Path, way: str) -> Iterator[None]:
    """Raise StoreError with the next step `way` if reading a file that w2v wrote fails within the block."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = next(iter(str(error).splitlines()), type(error).__name__)
        raise StoreError(
            f"{path} is damaged\nexpected  the content that w2v wrote\nfound     {found}\n{way}"
        ) from error


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
