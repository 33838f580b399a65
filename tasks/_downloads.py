"""Downloads, kept in the workspace under their digest: fetched once, and verified each time before they are used."""

from collections.abc import Callable, Iterator
from hashlib import file_digest, sha256
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from filelock import FileLock

from tasks._errors import InputError

SECONDS = 60  # of silence
BLOCK = 1 << 20  # bytes


def fetch(url: str, digest: str, path: Path, report: Callable[[float, float, str], None]) -> None:
    """Have the content of `url`, whose SHA-256 is `digest`, at `path`. Raises InputError if it is not to be had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(path.name + ".lock")):
        if path.is_file() and _digest(path) == digest:
            return
        beside = path.with_name(path.name + ".partial")
        with open(beside, "wb") as file:
            for block, total in _blocks(url):
                file.write(block)
                report(min(file.tell(), total), total, f"downloading {url}")
        if (found := _digest(beside)) != digest:
            beside.unlink()
            raise InputError(
                f"{url} is not what the config expects\nexpected  SHA-256 {digest}\nfound     SHA-256 {found}\n"
                "The publisher has changed it, or it was damaged on the way: check it, then set ingestion.sha256."
            )
        beside.replace(path)


def _blocks(url: str) -> Iterator[tuple[bytes, int]]:
    """The content in blocks, with the number of bytes to expect."""
    try:
        with urlopen(url, timeout=SECONDS) as response:
            total = int(response.headers.get("Content-Length") or 1)
            while block := response.read(BLOCK):
                yield block, total
    except (OSError, HTTPException, ValueError) as error:
        raise InputError(
            f"{url} cannot be downloaded: {error}\n"
            "Run the command again when the network is there, or fetch the file yourself and name its path instead."
        ) from error


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, sha256).hexdigest()
