"""Find the files that a local path, folder or pattern stands for, and the files there that are not read."""

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
from tasks.readers.formats import hidden, is_reported, is_text, suffix

MAGIC = frozenset("*?[")  # of a glob
ODD = {
    stat.S_ISFIFO: "is a pipe",
    stat.S_ISCHR: "is a device",
    stat.S_ISBLK: "is a device",
    stat.S_ISSOCK: "is a socket",
}


class Found(NamedTuple):
    """The files of a source entry that are read, and those that are not."""

    files: list[tuple[Path, str]]  # sorted, with names relative to the folder or to the fixed part of the pattern
    unread: list[str]  # names of the other files there


def files(entry: str) -> Found:
    """Return the files of a path, folder or pattern. Raises InputError if none is there, or one cannot be read."""
    with _clear_errors(entry):
        path = Path(entry).expanduser()
        if path.exists() and not path.is_dir():
            if fault := _odd(path):
                raise InputError(
                    f"{path} {fault}\nexpected  a file or a folder\nfound     {path.resolve()}\n"
                    "Write its content to a file, and use that file instead."
                )
            return Found([(path, path.name)], [])  # follow a link that the user named
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
                f"{path}: all files here belong to w2v itself\nexpected  text\n"
                f"found     {len(every)} files of a workspace or store, which are never a source\n"
                "Set ingestion.source to a folder of text, or to the path of one such file."
            )
        if not own:
            raise InputError(no_text(path, unread) if matches else _missing(path))
        for file in own:
            _refuse_leading_out(file, root)
        return Found([(file, _name(file, root)) for file in own], [name for name in unread if is_reported(name)])


def missing(entry: str) -> bool:
    """Return True if nothing matches this path or pattern."""
    with _clear_errors(entry):
        return not _matches(Path(entry).expanduser())[1]


def _matches(path: Path) -> tuple[Path, list[Path]]:
    """Return the fixed part of a path or glob, and everything that matches."""
    if path.exists():
        return path, [path]
    root = Path(*takewhile(lambda part: not MAGIC.intersection(part), path.parts))
    if root == path:
        return root, []
    parts = path.relative_to(root).parts
    for depth in range(len(parts)):  # glob itself skips folders without permission
        for folder in root.glob("/".join(parts[:depth])) if depth else [root]:
            if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
                raise PermissionError(13, "Permission denied", str(folder))
    return root, sorted(root.glob("/".join(parts)))


def _is_hidden(match: Path, pattern: Path, root: Path) -> bool:
    """Return True if a match is hidden and the pattern does not itself begin with `.` or `_`."""
    asked_for = any(part.startswith((".", "_")) for part in pattern.relative_to(root).parts)
    return hidden(_name(match, root)) and not asked_for


def _is_meant(file: Path, pattern: Path) -> bool:
    """Return True if a match is read: it is known as text, or the pattern ends with its suffix."""
    end = suffix(pattern.name)
    return is_text(file.name.lstrip("._"), archives=True) or (
        bool(end) and not MAGIC.intersection(end) and end == suffix(file.name)
    )


def _inside(folder: Path) -> list[tuple[Path, bool]]:
    """Return all files below a folder, each with whether it is read; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise error

    found = sorted(Path(place, file) for place, _, names in os.walk(folder, onerror=refuse) for file in names)
    return [(file, is_text(_name(file, folder), archives=True)) for file in found]


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _refuse_leading_out(file: Path, root: Path) -> None:
    """Raises InputError for a link out of the source folder: who may write there must not read other files."""
    target = file.resolve()
    fault = _odd(file) if target.is_relative_to(root.resolve()) else f"leads out of {root}"
    if fault:
        raise InputError(
            f"{file} {fault}\nexpected  files, or links to files in {root}\nfound     {target}\n"
            "Put a copy there, or set ingestion.source to the file itself."
        )


def _odd(file: Path) -> str:
    """Return why a file cannot be read to its end, such as "is a pipe"; empty for a regular file."""
    if file.is_file():
        return ""
    if not file.exists():
        return "is a link to nothing"
    mode = file.stat().st_mode
    return next((fault for test, fault in ODD.items() if test(mode)), "is not a regular file")


@contextmanager
def _clear_errors(entry: str) -> Iterator[None]:
    """Turn a missing permission into an InputError."""
    try:
        yield
    except PermissionError as error:
        raise InputError(
            f"{error.filename or entry} cannot be read: {error.strerror}\n"
            "Fix its permissions, or leave it out of ingestion.source."
        ) from error


def _missing(path: Path) -> str:
    folder = next(parent for parent in path.parents if parent.is_dir())
    wanted = path.relative_to(folder).parts[0]
    names = sorted(inside.name for inside in folder.iterdir())
    far = folder != path.parent
    near = get_close_matches(wanted, names, n=1, cutoff=0.6 if far else 0.3)
    if path.is_symlink():
        nearest = "It is a link to nothing, or to itself."
    elif near:
        nearest = f"The nearest name in {folder.absolute()} is {near[0]}."
    elif far:
        nearest = f"{folder.absolute() / wanted} does not exist."
    else:
        nearest = f"{folder.absolute()} contains {', '.join(names[:10]) or 'no files'}."
    return f"{path}: no such file or folder\n{nearest}\nSet ingestion.source to an existing path."
