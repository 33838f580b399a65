"""Objects on S3, read with pyarrow's own client: what is below a prefix, and what is in them.

Keys, endpoint and region are the environment's, where the client itself looks for them: they never pass through here.
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
BLOCK = 1 << 23  # bytes of one request where all is wanted
GLIMPSE = 1 << 18  # and where a beginning may be enough
PASSING = ("NETWORK_CONNECTION", "SERVICE_UNAVAILABLE", "SLOW_DOWN", "INTERNAL_FAILURE", "REQUEST_TIMEOUT")


class Object(NamedTuple):
    name: str  # below the prefix
    url: str
    size: int  # bytes
    digest: str  # of its address, size and last change: from afar, S3 says no more of what is in it


def listed(url: str) -> list[Object]:
    """Every object below a prefix, or the one of this very name, in the order of files in a folder.

    Raises InputError if none is there, or if a name is no path: whoever may write there chooses no other place.
    """
    found = _found(url)
    if not found:
        raise InputError(_nothing(url))
    return found


def there(url: str) -> bool:
    """Whether anything is under this prefix."""
    return bool(_found(url))


def same(url: str, digest: str) -> bool:
    """Whether the object is still the one that was listed so."""
    bucket, key = _split(url)
    with _clear_errors(url):
        info = _client(bucket).get_file_info(f"{bucket}/{key}")
        return bool(info.is_file) and _object(info, url, "").digest == digest


def blocks(url: str) -> Iterator[bytes]:
    """The content."""
    bucket, key = _split(url)
    with _clear_errors(url), _client(bucket).open_input_stream(f"{bucket}/{key}", compression=None) as stream:
        while block := stream.read(BLOCK):
            yield block


def opened(url: str) -> BinaryIO:
    """The content as a file, of which only what is read is fetched."""
    bucket, key = _split(url)
    with _clear_errors(url):
        file = _client(bucket).open_input_file(f"{bucket}/{key}")
    return cast(BinaryIO, _Buffered(file, GLIMPSE))


class _Buffered(io.BufferedReader):
    def read1(self, size: int = -1) -> bytes:
        """From the buffer too: its own, of which texts are read, would be a request for each few kilobytes."""
        return self.read(size)


@functools.cache
def _client(bucket: str) -> "FileSystem":
    from pyarrow.fs import FileSystem

    return FileSystem.from_uri(S3 + bucket)[0]  # the constructor would look for no AWS_ENDPOINT_URL, nor for a region


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
                f"{url}: its object {each.name!r} has a name that is no path\n"
                "expected  parts between single slashes, and none that is . or ..\n"
                "The prefix is refused: rename the object, or choose a prefix without it."
            )
    return sorted(found, key=lambda each: each.name.split("/"))


def _object(info: "FileInfo", url: str, name: str) -> Object:
    changed = info.mtime_ns // 10**9  # a listing may know it better than the answer about one object does
    return Object(name, url, info.size, digest_of([url, info.size, changed]))


def _split(url: str) -> tuple[str, str]:
    """The bucket, and the key or prefix without a slash at its end."""
    bucket, _, key = url.removeprefix(S3).rstrip("/").partition("/")
    if not re.fullmatch(r"[\w.-]+", bucket) or (key and not {"", ".", ".."}.isdisjoint(key.split("/"))):
        raise InputError(f"{url}: this is no place on S3\nexpected  {S3}BUCKET, {S3}BUCKET/PREFIX or {S3}BUCKET/OBJECT")
    return bucket, key


def _nothing(url: str) -> str:
    from pyarrow.fs import FileSelector

    bucket, key = _split(url)
    above = f"{bucket}/{key}".rpartition("/")[0]
    with _clear_errors(url):
        infos = _client(bucket).get_file_info(FileSelector(above))  # says so if there is no such bucket
    names = sorted(info.base_name for info in infos)
    near = get_close_matches(key.rpartition("/")[2], names, n=1, cutoff=0.3)
    nearest = f"the nearest is {near[0]}" if near else f"there are {', '.join(names[:10]) or 'no objects'}"
    return (
        f"{url}: no object is there\nexpected  the name of an object, or all of its name up to a slash; no pattern\n"
        f"In {S3}{above}, {nearest}.\nSet ingestion.source to what is there."
    )


@contextmanager
def _clear_errors(url: str) -> Iterator[None]:
    """What S3 refuses, in the words of the one who must act; names of variables, but none of their values."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        what = re.sub(r"^.*?AWS Error | \(Request ID.*$|: No response body\.$", "", str(error))
        away = what.startswith(PASSING)
        unset = [name for name in KEYS if name not in os.environ]
        if away:
            advice = "Run the command again when it answers; AWS_ENDPOINT_URL says where it is."
        elif what.startswith("NO_SUCH_BUCKET"):
            advice = "Name a bucket that is there, or in AWS_ENDPOINT_URL the server that has it."
        else:
            advice = f"Keys are taken from the environment{f', where {unset[0]} is not set' if unset else ''}: " + (
                f"{' and '.join(KEYS)}, of one who may list and read there."
            )
        raise InputError(f"{url} cannot be read: {what}\n{advice}") from (ConnectionError(what) if away else error)
