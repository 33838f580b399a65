"""Which files the config's sources are, in a fixed order, with the digests that tell whether one has changed."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from configs.schema import Ingestion
from tasks._archives import TEXT, is_text, suffix
from tasks._errors import InputError
from tasks._files import digest_of, digest_of_file
from tasks._installed_docs import documentation
from tasks._objects import S3, listed, there
from tasks._own import without_own
from tasks._store import Record

INSTALLED_DOCS = "installed-docs"
SHOWN = 200  # characters of a name in an error
MAGIC = frozenset("*?[")  # of a glob
BATCH = 4_000_000  # bytes of the files that are read together, on average


class Source(Record):
    """A file to be read. Its documents are named after `name`; where it lies changes nothing."""

    name: str
    digest: str
    path: Path = Field(exclude=True)  # of a download: inside the workspace
    size: int = Field(exclude=True)  # bytes; 0 of a download, where they are not yet known
    url: str = Field("", exclude=True)
    recorded: bool = Field(False, exclude=True)  # the digest is the publisher's or the installer's

    @property
    def on_s3(self) -> bool:
        return self.url.startswith(S3)

    @property
    def changed(self) -> bool:
        """Whether the file is not any more what the digest says."""
        return not self.recorded and _local(self.path, self.name).digest != self.digest


def _findable(
    by_entry: Callable[[Ingestion], Iterator[tuple[str, list[Source]]]],
) -> Callable[[Ingestion], Iterator[tuple[str, list[Source]]]]:
    """Make an InputError of what the system says of a name that can be none."""

    def guarded(config: Ingestion) -> Iterator[tuple[str, list[Source]]]:
        try:
            yield from by_entry(config)
        except (OSError, ValueError, RuntimeError) as error:  # too long, a loop of links, no such user, no glob, no URL
            name = named(config)
            raise InputError(
                f"{name[:SHOWN] + '…' if len(name) > SHOWN else name}: cannot be looked up\n"
                f"expected  a file, folder, glob, URL or s3:// prefix\n"
                f"found     {getattr(error, 'strerror', None) or str(error)[:SHOWN]}\n"
                "Mend ingestion.source."
            ) from error

    return guarded


def sources(config: Ingestion) -> list[Source]:
    """Every file that will be read, in order. Raises InputError if one of the config's sources is not there."""
    return [source for _, found in _by_entry(config) for source in found]


def batches(planned: Iterable[Source]) -> list[list[Source]]:
    """The files in order, cut after those whose own digest says so: one file more, wherever it is, changes one batch.

    A file of BATCH bytes is always the last of its batch, and half as large a one is it every other time.
    """
    found: list[list[Source]] = [[]]
    for source in planned:
        found[-1].append(source)
        chance = int(digest_of([source.name, source.digest])[:8], 16) / 2**32
        if (source.url and not source.size) or chance < source.size / BATCH:
            found.append([])
    return [batch for batch in found if batch]


def named(config: Ingestion) -> str:
    """The config's sources, as an error names them."""
    return config.source if isinstance(config.source, str) else ", ".join(config.source)


def source_digests(config: Ingestion) -> list[dict[str, Any]]:
    """For each of the config's sources, what its files are and a digest of their names, sizes and contents."""
    return [
        {
            "source": entry,
            "files": len(found),
            "bytes": sum(source.size for source in found),
            "digest": digest_of([(source.name, source.size, source.digest) for source in found]),
        }
        for entry, found in _by_entry(config)
    ]


@_findable
def _by_entry(config: Ingestion) -> Iterator[tuple[str, list[Source]]]:
    for entry in [config.source] if isinstance(config.source, str) else config.source:
        if entry == INSTALLED_DOCS:
            yield from _installed(config)
        elif entry.startswith(S3):
            yield entry, _objects(entry)
        elif "://" in entry:
            yield entry, [_download(entry, config)]
        else:
            yield entry, [_local(path, name) for path, name in _files(entry)]


def _installed(config: Ingestion) -> Iterator[tuple[str, list[Source]]]:
    if not config.distributions:
        raise InputError('installed-docs: say whose\nexpected  ingestion.distributions = ["numpy", …]\nfound     none')
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
    """The text below a prefix; an object that is named outright is meant, whatever its suffix."""
    every = listed(url)
    found = [each for each in every if is_text(each.name, archives=True) or each.url == url]
    if not found:
        raise InputError(_no_text(url, sorted({suffix(each.name) for each in every})))
    return [
        Source(
            name=each.name,
            digest=each.digest,
            path=Path("downloads", each.digest, "object"),  # no name of others' making becomes a path
            size=each.size,
            url=each.url,
            recorded=True,
        )
        for each in found
    ]


def _local(path: Path, name: str) -> Source:
    status = path.stat()
    digest = _digest(path, status.st_size, status.st_mtime_ns, status.st_ino)
    return Source(name=os.fsencode(name).decode(errors="replace"), digest=digest, path=path, size=status.st_size)


@functools.lru_cache(maxsize=100_000)
def _digest(path: Path, size: int, modified: int, inode: int) -> str:
    """Of the content; a file that has not been touched since is not read again."""
    return digest_of_file(path)


def _files(entry: str) -> list[tuple[Path, str]]:
    """The files that a path or glob stands for, sorted, with their names relative to its fixed part."""
    path = Path(entry).expanduser()
    if path.exists() and not path.is_dir():
        return [(path, path.name)]  # a link that is named outright is meant
    root, matches = _matches(path)
    every = {file: None for match in matches for file in (_inside(match) if match.is_dir() else [match])}
    files = without_own(every, root)
    if every and not files:
        raise InputError(
            f"{path}: there is nothing here but files of w2v itself\nexpected  text\n"
            f"found     {len(every)} files of a workspace or store, which are never a source\n"
            "Set ingestion.source to a folder of text, or name such a file itself."
        )
    if not files:
        raise InputError(_nothing_to_read(path) if matches else _missing(path))
    for file in files:
        _refuse_leading_out(file, root)
    return [(file, file.relative_to(root).as_posix()) for file in files]


def missing(entry: str) -> bool:
    """Whether nothing is there under this path, glob or prefix."""
    if entry.startswith(S3):
        return not there(entry)
    return not _matches(Path(entry).expanduser())[1]


def _matches(path: Path) -> tuple[Path, list[Path]]:
    """The fixed part of a path or glob, and what is there."""
    if path.exists():
        return path, [path]
    root = Path(*takewhile(lambda part: not MAGIC.intersection(part), path.parts))
    return root, sorted(root.glob(path.relative_to(root).as_posix())) if root != path else []


def _refuse_leading_out(file: Path, root: Path) -> None:
    """Whoever may write to a watched folder must not choose what else of this machine is read."""
    target = file.resolve()
    fault = "" if target.is_relative_to(root.resolve()) else f"leads out of {root}"
    if not target.is_file():
        fault = "leads nowhere" if file.is_symlink() else "is no regular file"
    if fault:
        raise InputError(
            f"{file} {fault}\nexpected  files, or links to files in {root}\nfound     {target}\n"
            "Put a copy there, or name the file itself in ingestion.source."
        )


def _inside(folder: Path) -> list[Path]:
    """The files in a folder and below that can be read; links to folders are not followed."""
    found = [Path(place, file) for place, _, files in os.walk(folder) for file in files]
    return sorted(file for file in found if is_text(file.relative_to(folder).as_posix(), archives=True))


def _missing(path: Path) -> str:
    folder = next(parent for parent in path.parents if parent.is_dir())
    wanted = path.relative_to(folder).parts[0]
    names = sorted(inside.name for inside in folder.iterdir())
    far = folder != path.parent
    near = get_close_matches(wanted, names, n=1, cutoff=0.6 if far else 0.3)
    if near:
        nearest = f"In {folder.absolute()}, the nearest is {near[0]}."
    elif far:
        nearest = f"There is no {folder.absolute() / wanted}."
    else:
        nearest = f"In {folder.absolute()}, there are {', '.join(names[:10]) or 'no files'}."
    return f"{path}: no such file or folder\n{nearest}\nSet ingestion.source to what is there."


def _nothing_to_read(folder: Path) -> str:
    kinds = sorted({suffix(file) for _, _, files in os.walk(folder) for file in files})
    return _no_text(folder, kinds)


def _no_text(place: Path | str, kinds: Sequence[str]) -> str:
    return (
        f"{place}: no file here is known as text\n"
        f"expected  {', '.join(sorted(TEXT - {''}))}, also compressed or zipped, or names without a suffix\n"
        f"found     {', '.join(kinds) or 'no files'}\nName such files one by one or with a glob to read them as text."
    )
