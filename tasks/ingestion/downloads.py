"""Downloads, kept in the workspace under their digest: fetched once, and verified each time before they are used."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import file_digest, sha256
from pathlib import Path

import httpx

from tasks.datasets.files import write_whole
from tasks.engine.file_lock import Held
from tasks.errors import InputError
from tasks.ingestion import s3
from tasks.ingestion.sources import Source

SECONDS = 60  # of silence
BLOCK = 1 << 20  # bytes

Reporter = Callable[[float, float, str], None]


def fetched(source: Source, workspace: Path, report: Reporter) -> Path:
    """Where the content of a source lies that is no file of this machine. Raises InputError if it is not to be had."""
    path = workspace / source.path
    if source.on_s3:
        fetch_object(source.url, source.digest, source.size, path, report)
    else:
        fetch(source.url, source.digest, path, report)
    return path


def fetch(url: str, digest: str, path: Path, report: Reporter) -> None:
    """Have the content of `url`, whose SHA-256 is `digest`, at `path`. Raises InputError if it is not to be had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Held(path.with_name(path.name + ".lock")):
        if path.is_file() and _digest(path) == digest:
            return
        beside = _written(url, _blocks(url), path, report)
        if (found := _digest(beside)) != digest:
            beside.unlink()
            raise InputError(
                f"{url} is not what the config expects\nexpected  SHA-256 {digest}\nfound     SHA-256 {found}\n"
                "The publisher has changed it, or it was damaged on the way: check it, then set ingestion.sha256."
            )
        beside.replace(path)


def fetch_object(url: str, digest: str, size: int, path: Path, report: Reporter) -> None:
    """Have the object that S3 lists as `digest` at `path`. Raises InputError if it is not to be had, or not any more.

    S3 tells no digest of its bytes: the one of those that came is written beside them.
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
                f"{url} changed while being fetched\nexpected  objects that keep still during ingestion\n"
                "Run the command again."
            )
        write_whole(note, _digest(beside).encode())
        beside.replace(path)


def _written(url: str, blocks: Iterable[tuple[bytes, int]], path: Path, report: Reporter) -> Path:
    """The blocks, with the number of bytes to expect, in a file that is not yet the one of the path."""
    beside = path.with_name(path.name + ".partial")
    with open(beside, "wb") as file:
        for block, total in blocks:
            file.write(block)
            report(min(file.tell(), total), total, f"downloading {url}")
    return beside


def _blocks(url: str) -> Iterator[tuple[bytes, int]]:
    """The content in blocks as it is stored there, with the number of bytes to expect."""
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
            "Run the command again when the network is there, or fetch the file yourself and name its path instead."
        ) from error


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, sha256).hexdigest()
