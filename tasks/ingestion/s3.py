"""Read objects on S3 with pyarrow's own client: list a prefix, and read the objects below it.

The client takes keys, endpoint and region from the environment; they never pass through this code.
"""

import functools
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import pyarrow as pa

from tasks.datasets.files import digest_of
from tasks.errors import InputError

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

S3 = "s3://"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
BLOCK = 1 << 23  # bytes of one request where the whole object is read
GLIMPSE = 1 << 18  # the same where a beginning may be enough
PASSING = ("NETWORK_CONNECTION", "SERVICE_UNAVAILABLE", "SLOW_DOWN", "INTERNAL_FAILURE", "REQUEST_TIMEOUT")


class Object(NamedTuple):
    """An object on S3, as listed."""

    name: str  # below the prefix
    url: str
    size: int  # bytes
    digest: str  # of its address, size and time of last change: S3 reports no digest of the content


def listed(url: str) -> list[Object]:
    """Return every object below a prefix, or the object of this very name, in the order of files in a folder.

    Raises InputError if there is none, or if a name is not a safe path: who may write there must not choose a place.
    """
    found = _found(url)
    if not found:
        raise InputError(_nothing(url))
    return found


def there(url: str) -> bool:
    """Return True if any object is under this prefix."""
    return bool(_found(url))


def same(url: str, digest: str) -> bool:
    """Return True if the object still has the digest under which it was listed."""
    bucket, key = _split(url)
    with _clear_errors(url):
        info = _client(bucket).get_file_info(f"{bucket}/{key}")
        return bool(info.is_file) and _object(info, url, "").digest == digest


def blocks(url: str) -> Iterator[bytes]:
    """Yield the content of an object in blocks."""
    bucket, key = _split(url)
    with _clear_errors(url), _client(bucket).open_input_stream(f"{bucket}/{key}", compression=None) as stream:
        while block := stream.read(BLOCK):
            yield block


def opened(url: str) -> BinaryIO:
    """Return an object as a file that fetches only what is read."""
    bucket, key = _split(url)
    with _clear_errors(url):
        file = _client(bucket).open_input_file(f"{bucket}/{key}")
    return cast(BinaryIO, _Buffered(file, GLIMPSE))


class _Buffered(io.BufferedReader):
    def read1(self, size: int = -1) -> bytes:
        """Return from the buffer, too: otherwise text readers would send a request for every few kilobytes."""
        return self.read(size)


@functools.cache
def _client(bucket: str) -> "FileSystem":
    from pyarrow.fs import FileSystem

    return FileSystem.from_uri(S3 + bucket)[0]  # the constructor would ignore AWS_ENDPOINT_URL and the region


def _found(url: str) -> list[Object]:
    from pyarrow.fs import FileSelector

    bucket, key = _split(url)
    root = f"{bucket}/{key}".rstrip("/")
    with _clear_errors(url):
        client = _client(bucket)
        info = client.get_file_info(root)
        if info.is_file:
            return [_object(info, url, key.rpartition("/")[2])]
        infos = client.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
    found = [_object(info, S3 + info.path, info.path[len(root) + 1 :]) for info in infos if info.is_file]
    for each in found:
        if not {"", ".", ".."}.isdisjoint(each.name.split("/")):
            raise InputError(
                f"{url}: its object {each.name!r} has a name that is not a path\n"
                "expected  parts between single slashes, and none that is . or ..\n"
                "The prefix is refused: rename the object, or choose a prefix without it."
            )
    return sorted(found, key=lambda each: each.name.split("/"))


def _object(info: "FileInfo", url: str, name: str) -> Object:
    changed = info.mtime_ns // 10**9  # a listing may give it more exactly than a query of one object
    return Object(name, url, info.size, digest_of([url, info.size, changed]))


def _split(url: str) -> tuple[str, str]:
    """Return the bucket, and the key or prefix without a final slash."""
    bucket, _, key = url.removeprefix(S3).rstrip("/").partition("/")
    if not re.fullmatch(r"[\w.-]+", bucket) or (key and not {"", ".", ".."}.isdisjoint(key.split("/"))):
        raise InputError(
            f"{url}: this is not an S3 address\nexpected  {S3}BUCKET, {S3}BUCKET/PREFIX or {S3}BUCKET/OBJECT"
        )
    return bucket, key


def _nothing(url: str) -> str:
    from pyarrow.fs import FileSelector

    bucket, key = _split(url)
    above = f"{bucket}/{key}".rpartition("/")[0]
    with _clear_errors(url):
        infos = _client(bucket).get_file_info(FileSelector(above))  # raises for an unknown bucket
    names = sorted(info.base_name for info in infos)
    near = get_close_matches(key.rpartition("/")[2], names, n=1, cutoff=0.3)
    nearest = f"the nearest name is {near[0]}" if near else f"there are {', '.join(names[:10]) or 'no objects'}"
    return (
        f"{url}: no such object or prefix\nexpected  the name of an object, or its name up to a slash; no pattern\n"
        f"In {S3}{above}, {nearest}.\nSet ingestion.source to an existing name."
    )


@contextmanager
def _clear_errors(url: str) -> Iterator[None]:
    """Turn an error of S3 into an InputError with advice. It names environment variables, never their values."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        what = re.sub(r"^.*?AWS Error | \(Request ID.*$|: No response body\.$", "", str(error))
        away = what.startswith(PASSING)
        unset = [name for name in KEYS if name not in os.environ]
        if away:
            advice = "Run the command again when the server answers; AWS_ENDPOINT_URL is its address."
        elif what.startswith("NO_SUCH_BUCKET"):
            advice = "Name an existing bucket, or set AWS_ENDPOINT_URL to the server that has it."
        else:
            advice = f"Keys are taken from the environment{f', where {unset[0]} is not set' if unset else ''}: " + (
                f"{' and '.join(KEYS)}, of an account that may list and read there."
            )
        raise InputError(f"{url} cannot be read: {what}\n{advice}") from (ConnectionError(what) if away else error)
