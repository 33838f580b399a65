"""Digests of what is read, and files that appear whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from tasks.errors import StoreError


def digest_of(value: Any) -> str:
    """BLAKE2b-128 of a JSON value, 32 hex digits."""
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


def digest_of_stream(stream: BinaryIO) -> str:
    digest = blake2b(digest_size=16)
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    with open(path, "rb") as stream:
        return digest_of_stream(stream)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file that then appears whole or not at all."""
    beside = path.with_name(path.name + ".partial")
    yield beside
    sync(beside)
    os.replace(beside, path)
    sync(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    with whole(path) as beside:
        beside.write_bytes(content)


@contextmanager
def undamaged(path: Path, way: str) -> Iterator[None]:
    """Read what we have written to the file. Raises StoreError, with the way out, if it is not that any more."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = next(iter(str(error).splitlines()), type(error).__name__)
        raise StoreError(
            f"{path} is damaged\nexpected  what w2v has written there\nfound     {found}\n{way}"
        ) from error


def sync(path: Path) -> None:
    """Push a file or the entries of a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
