"""List the files of the config's sources in a fixed order, with digests that reveal changes."""

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from configs.schema import Ingestion
from tasks.datasets.files import digest_of, digest_of_file
from tasks.engine.store import FrozenModel
from tasks.errors import InputError
from tasks.ingestion import folders
from tasks.ingestion.s3 import S3, listed, there
from tasks.readers.archives import clear_errors, no_text
from tasks.readers.formats import is_reported, is_text
from tasks.readers.package_docs import documentation

INSTALLED_DOCS = "installed-docs"
SHOWN = 200  # characters of a name in an error
BATCH = 4_000_000  # bytes of the files that are read together, on average


class Source(FrozenModel):
    """A file to read. Its documents are named after `name`; its location does not change the result."""

    name: str
    digest: str
    path: Path = Field(exclude=True)  # for a download: within the workspace
    size: int = Field(exclude=True)  # bytes; 0 for a download of unknown size
    url: str = Field("", exclude=True)
    recorded: bool = Field(False, exclude=True)  # the digest comes from the publisher or installer

    @property
    def on_s3(self) -> bool:
        return self.url.startswith(S3)

    @property
    def installed(self) -> bool:
        """Return True if it is a file of an installed package."""
        return self.recorded and not self.url

    @property
    def changed(self) -> bool:
        """Return True if the file no longer has its digest."""
        return not self.recorded and _local(self.path, self.name).digest != self.digest


def _findable(
    by_entry: Callable[[Ingestion], Iterator[tuple[str, list[Source]]]],
) -> Callable[[Ingestion], Iterator[tuple[str, list[Source]]]]:
    """Turn a system error about an impossible name into an InputError."""

    def guarded(config: Ingestion) -> Iterator[tuple[str, list[Source]]]:
        try:
            yield from by_entry(config)
        except (OSError, ValueError, RuntimeError) as error:  # too long, a loop of links, no such user, no glob, no URL
            name = named(config)
            raise InputError(
                f"{name[:SHOWN] + '…' if len(name) > SHOWN else name}: cannot be looked up\n"
                f"expected  a file, folder, glob, URL or s3:// prefix\n"
                f"found     {getattr(error, 'strerror', None) or str(error)[:SHOWN]}\n"
                "Correct ingestion.source."
            ) from error

    return guarded


def sources(config: Ingestion) -> list[Source]:
    """Return every file that will be read, in order.

    Raises InputError if one of the config's sources is missing, or if a file is in two of them
    and `duplicates` is not set.
    """
    every = [source for _, found in _by_entry(config) for source in found]
    own = (each for each in every if not each.installed)
    places = Counter(each.url or os.path.abspath(each.path) for each in own)  # noqa: PTH100 (no link is followed)
    repeated = next((place for place, times in places.items() if times > 1), "")
    if repeated and config.duplicates is None:
        raise InputError(
            f"ingestion.source\nexpected  each file once\nfound     {repeated} more than once\n"
            "Leave it out of one of them, or set ingestion.duplicates: with keep, its words count twice."
        )
    return every


def unread(config: Ingestion) -> list[str]:
    """Return the names of files in the config's folders, patterns and prefixes that are not read."""
    found: list[str] = []
    for entry in _entries(config):
        if entry.startswith(S3):
            every = (each.name for each in listed(entry) if each.url != entry)
            found += [name for name in every if not is_text(name, archives=True) and is_reported(name)]
        elif entry != INSTALLED_DOCS and "://" not in entry:
            found += folders.files(entry).unread
    return found


def batches(planned: Iterable[Source], config: Ingestion) -> list[list[Source]]:
    """Cut the files, in order, into batches. The digest of a file decides whether a batch ends after it.

    So an added file changes only its own batch. A file of BATCH bytes always ends its batch, one of half that size
    every second time. Files of events are one batch, since a session may have events in any of them.
    """
    if config.session_column:
        return [list(planned)]
    found: list[list[Source]] = [[]]
    for source in planned:
        found[-1].append(source)
        chance = int(digest_of([source.name, source.digest])[:8], 16) / 2**32
        if (source.url and not source.size) or chance < source.size / BATCH:
            found.append([])
    return [batch for batch in found if batch]


def named(config: Ingestion) -> str:
    """Return the config's sources as an error names them."""
    return config.source if isinstance(config.source, str) else ", ".join(config.source)


def source_digests(config: Ingestion) -> list[dict[str, Any]]:
    """Return, for each source of the config, its number of files, its bytes, and one digest of all its files."""
    return [
        {
            "source": entry,
            "files": len(found),
            "bytes": sum(source.size for source in found),
            "digest": digest_of([(source.name, source.size, source.digest) for source in found]),
        }
        for entry, found in _by_entry(config)
    ]


def _entries(config: Ingestion) -> list[str]:
    return [config.source] if isinstance(config.source, str) else config.source


@_findable
def _by_entry(config: Ingestion) -> Iterator[tuple[str, list[Source]]]:
    for entry in _entries(config):
        if entry == INSTALLED_DOCS:
            yield from _installed(config)
        elif entry.startswith(S3):
            yield entry, _objects(entry)
        elif "://" in entry:
            yield entry, [_download(entry, config)]
        else:
            yield entry, [_local(path, name) for path, name in folders.files(entry).files]


def _installed(config: Ingestion) -> Iterator[tuple[str, list[Source]]]:
    if not config.distributions:
        raise InputError(
            'installed-docs: no package is named\nexpected  ingestion.distributions = ["numpy", …]\nfound     none'
        )
    for distribution in config.distributions:
        version, files = documentation(distribution)
        found = [
            Source(
                name=file.as_posix(),
                digest=file.hash.value if file.hash else version,
                path=Path(file.locate()),
                size=file.size or 0,
                recorded=True,
            )
            for file in files
        ]
        yield f"{INSTALLED_DOCS}: {distribution} {version}", found


def _download(url: str, config: Ingestion) -> Source:
    parts = urlsplit(url)
    name = PurePosixPath(parts.path).name or parts.netloc
    if parts.scheme not in ("http", "https"):
        raise InputError(f"{url}: cannot read from {parts.scheme}://\nexpected  http://, https:// or s3://, or a path")
    if config.sha256 is None:
        raise InputError(
            f"{url}: a download needs a digest, so that every run reads the same bytes\n"
            "expected  ingestion.sha256, as the publisher states it or as `sha256sum FILE` prints it"
        )
    path = Path("downloads", config.sha256, name)
    return Source(name=name, digest=config.sha256, path=path, size=0, url=url, recorded=True)


def _objects(url: str) -> list[Source]:
    """Return the text objects below a prefix; an object named in full is read whatever its suffix."""
    every = listed(url)
    found = [each for each in every if is_text(each.name, archives=True) or each.url == url]
    if not found:
        raise InputError(no_text(url, [each.name for each in every]))
    return [
        Source(
            name=each.name,
            digest=each.digest,
            path=Path("downloads", each.digest, "object"),  # names that others chose never become a path
            size=each.size,
            url=each.url,
            recorded=True,
        )
        for each in found
    ]


def _local(path: Path, name: str) -> Source:
    with clear_errors(name):
        status = path.stat()
        digest = _digest(path, status.st_size, status.st_mtime_ns, status.st_ino)
    return Source(name=os.fsencode(name).decode(errors="replace"), digest=digest, path=path, size=status.st_size)


@functools.lru_cache(maxsize=100_000)
def _digest(path: Path, size: int, modified: int, inode: int) -> str:
    """Return the digest of a file's content, cached until its size, time or inode changes."""
    return digest_of_file(path)


def missing(entry: str) -> bool:
    """Return True if nothing exists under this path, glob or prefix."""
    return not there(entry) if entry.startswith(S3) else folders.missing(entry)
