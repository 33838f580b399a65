"""Downloads, kept in the workspace under their digest: fetched once, and verified before each use."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import file_digest, sha256
from pathlib import Path

import httpx

from tasks.datasets.files import write_whole
from tasks.engine.file_lock import Held
from tasks.errors import InputError
from tasks.ingestion import s3
from tasks.ingestion.sources import Source

SECONDS = 60  # timeout of a connection without data
BLOCK = 1 << 20  # bytes

Reporter = Callable[[float, float, str], None]


def fetched(source: Source, workspace: Path, report: Reporter) -> Path:
    """Return the local path of a remote source's content. Raises InputError if it cannot be fetched."""
    path = workspace / source.path
    if source.on_s3:
        fetch_object(source.url, source.digest, source.size, path, report)
    else:
        fetch(source.url, source.digest, path, report)
    return path


def fetch(url: str, digest: str, path: Path, report: Reporter) -> None:
    """Download `url` to `path` unless it is there. Raises InputError if that fails or its SHA-256 is not `digest`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Held(path.with_name(path.name + ".lock")):
        if path.is_file() and _digest(path) == digest:
            return
        beside = _written(url, _blocks(url), path, report)
        if (found := _digest(beside)) != digest:
            beside.unlink()
            raise InputError(
                f"{url} is not what the config expects\nexpected  SHA-256 {digest}\nfound     SHA-256 {found}\n"
                "The publisher has changed it, or the transfer damaged it: check it, then set ingestion.sha256."
            )
        beside.replace(path)


def fetch_object(url: str, digest: str, size: int, path: Path, report: Reporter) -> None:
    """Download the object that S3 lists as `digest` to `path` unless it is there.

    Raises InputError if it cannot be fetched or has changed. S3 reports no digest of the content, so the SHA-256 of the
    downloaded bytes is stored beside them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    note = path.with_name(path.name + ".sha256")
    with Held(path.with_name(path.name + ".lock")):
        if path.is_file() and note.is_file() and _digest(path) == note.read_text():
            return
        beside = _written(url, ((block, size) for block in s3.blocks(url)), path, report)
        if beside.stat().st_size != size or not s3.same(url, digest):
            beside.unlink()
            raise InputError(
                f"{url} changed while being fetched\nexpected  objects that do not change during ingestion\n"
                "Run the command again."
            )
        write_whole(note, _digest(beside).encode())
        beside.replace(path)


def _written(url: str, blocks: Iterable[tuple[bytes, int]], path: Path, report: Reporter) -> Path:
    """Write the blocks to a temporary file beside `path` and return it; each comes with the total number of bytes."""
    beside = path.with_name(path.name + ".partial")
    with open(beside, "wb") as file:
        for block, total in blocks:
            file.write(block)
            report(min(file.tell(), total), total, f"downloading {url}")
    return beside


def _blocks(url: str) -> Iterator[tuple[bytes, int]]:
    """Yield the content in blocks, as stored on the server, each with the total number of bytes to expect."""
    stored = {"Accept-Encoding": "identity"}
    try:
        with httpx.stream("GET", url, headers=stored, timeout=SECONDS, follow_redirects=True) as response:
            response.raise_for_status()
            total = int(response.headers.get("Content-Length") or 1)
            for block in response.iter_raw(BLOCK):
                yield block, total
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        answer = error.response if isinstance(error, httpx.HTTPStatusError) else None
        raise InputError(
            f"{url} cannot be downloaded: {f'{answer.status_code} {answer.reason_phrase}' if answer else error}\n"
            "Run the command again when the network works, or fetch the file yourself and set its path instead."
        ) from error


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, sha256).hexdigest()
