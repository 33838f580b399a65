"""Which files a path, folder or pattern on this machine stands for, and which it holds besides."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from tasks.errors import InputError
from tasks.ingestion.own_files import without_own
from tasks.readers.archives import no_text
from tasks.readers.formats import hidden, is_text, is_told, suffix

MAGIC = frozenset("*?[")  # of a glob
ODD = {
    stat.S_ISFIFO: "is a pipe",
    stat.S_ISCHR: "is a device",
    stat.S_ISBLK: "is a device",
    stat.S_ISSOCK: "is a socket",
}


class Found(NamedTuple):
    files: list[tuple[Path, str]]  # sorted, with their names relative to the fixed part
    unread: list[str]  # what else is there, by name


def files(entry: str) -> Found:
    """Raises InputError if nothing is there, or something that cannot be read."""
    with _clear_errors(entry):
        path = Path(entry).expanduser()
        if path.exists() and not path.is_dir():
            if fault := _odd(path):
                raise InputError(
                    f"{path} {fault}\nexpected  a file or a folder\nfound     {path.resolve()}\n"
                    "Write what comes out of it to a file, and name that one."
                )
            return Found([(path, path.name)], [])  # a link that is named outright is meant
        root, matches = _matches(path)
        every: list[Path] = []
        unread: list[str] = []
        for match in matches:
            if match != path and _is_hidden(match, path, root):
                continue
            inside = _inside(match) if match.is_dir() else [(match, _is_meant(match, path))]
            every += [file for file, read in inside if read]
            unread += [_name(file, root) for file, read in inside if not read]
        own = without_own(dict.fromkeys(every), root)
        if every and not own:
            raise InputError(
                f"{path}: there is nothing here but files of w2v itself\nexpected  text\n"
                f"found     {len(every)} files of a workspace or store, which are never a source\n"
                "Set ingestion.source to a folder of text, or name such a file itself."
            )
        if not own:
            raise InputError(no_text(path, unread) if matches else _missing(path))
        for file in own:
            _refuse_leading_out(file, root)
        return Found([(file, _name(file, root)) for file in own], [name for name in unread if is_told(name)])


def missing(entry: str) -> bool:
    """Whether nothing is there under this path or pattern."""
    with _clear_errors(entry):
        return not _matches(Path(entry).expanduser())[1]


def _matches(path: Path) -> tuple[Path, list[Path]]:
    """The fixed part of a path or glob, and what is there."""
    if path.exists():
        return path, [path]
    root = Path(*takewhile(lambda part: not MAGIC.intersection(part), path.parts))
    if root == path:
        return root, []
    parts = path.relative_to(root).parts
    for depth in range(len(parts)):  # glob itself passes over what it may not read
        for folder in root.glob("/".join(parts[:depth])) if depth else [root]:
            if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
                raise PermissionError(13, "Permission denied", str(folder))
    return root, sorted(root.glob("/".join(parts)))


def _is_hidden(match: Path, pattern: Path, root: Path) -> bool:
    """Whether what a pattern matches is hidden, and the pattern does not say so itself."""
    said = any(part.startswith((".", "_")) for part in pattern.relative_to(root).parts)
    return hidden(_name(match, root)) and not said


def _is_meant(file: Path, pattern: Path) -> bool:
    """Of what a pattern matches: known as text, or of a suffix that the pattern itself ends with."""
    end = suffix(pattern.name)
    return is_text(file.name.lstrip("._"), archives=True) or (
        bool(end) and not MAGIC.intersection(end) and end == suffix(file.name)
    )


def _inside(folder: Path) -> list[tuple[Path, bool]]:
    """The files in a folder and below, and whether they are read; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise error

    found = sorted(Path(place, file) for place, _, names in os.walk(folder, onerror=refuse) for file in names)
    return [(file, is_text(_name(file, folder), archives=True)) for file in found]


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _refuse_leading_out(file: Path, root: Path) -> None:
    """Whoever may write to a watched folder must not choose what else of this machine is read."""
    target = file.resolve()
    fault = _odd(file) if target.is_relative_to(root.resolve()) else f"leads out of {root}"
    if fault:
        raise InputError(
            f"{file} {fault}\nexpected  files, or links to files in {root}\nfound     {target}\n"
            "Put a copy there, or name the file itself in ingestion.source."
        )


def _odd(file: Path) -> str:
    """What a file is that no end of can be read; nothing for one that is regular."""
    if file.is_file():
        return ""
    if not file.exists():
        return "leads nowhere"
    mode = file.stat().st_mode
    return next((fault for test, fault in ODD.items() if test(mode)), "is no regular file")


@contextmanager
def _clear_errors(entry: str) -> Iterator[None]:
    """What may not be read."""
    try:
        yield
    except PermissionError as error:
        raise InputError(
            f"{error.filename or entry} cannot be read: {error.strerror}\n"
            "Mend its permissions, or leave it out of ingestion.source."
        ) from error


def _missing(path: Path) -> str:
    folder = next(parent for parent in path.parents if parent.is_dir())
    wanted = path.relative_to(folder).parts[0]
    names = sorted(inside.name for inside in folder.iterdir())
    far = folder != path.parent
    near = get_close_matches(wanted, names, n=1, cutoff=0.6 if far else 0.3)
    if path.is_symlink():
        nearest = "It is a link that leads nowhere, or in a circle."
    elif near:
        nearest = f"In {folder.absolute()}, the nearest is {near[0]}."
    elif far:
        nearest = f"There is no {folder.absolute() / wanted}."
    else:
        nearest = f"In {folder.absolute()}, there are {', '.join(names[:10]) or 'no files'}."
    return f"{path}: no such file or folder\n{nearest}\nSet ingestion.source to what is there."
