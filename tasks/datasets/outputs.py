"""Write files that a user names: never over other files, and whole or not at all."""

import os
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from secrets import token_hex

from configs.loading import ConfigError
from tasks.datasets.files import sync
from tasks.errors import StoreError

BEGINNING = 1_000  # characters searched for the mark `ours`


def check(files: Sequence[Path], option: str, *, force: bool = False, ours: str = "") -> None:
    """Raise ConfigError if a file cannot be written or exists. `force` replaces any file, `ours` one with that text.

    `option` is the name of the option with which the user gave the file.
    """
    for file in files:
        try:
            fault = _fault(file)
            taken = not (fault or force) and os.path.lexists(file) and not (ours and ours in _beginning(file))
        except (OSError, ValueError) as error:  # too long, a loop of links
            fault, taken = getattr(error, "strerror", None) or str(error), False
        if fault or taken:
            raise ConfigError(
                f"{option} {file}: cannot be written\nexpected  the name of a {'new ' * taken}file\n"
                f"found     {fault or 'an existing file'}\n"
                f"Name another{', or add --force to replace it' if taken and not ours else ''}."
            )


def check_folder(folder: Path, option: str, names: Collection[str], *, force: bool = False) -> None:
    """Raise ConfigError if a folder of files with these names cannot be written, or exists.

    An empty folder is filled. `force` replaces a folder in which there is nothing but files of these names.
    """
    advice = ""
    try:
        if not (fault := _place_fault(folder)) and os.path.lexists(folder):
            fault, advice = _folder_fault(folder, names, force=force)
    except (OSError, ValueError) as error:  # too long, a loop of links
        fault = getattr(error, "strerror", None) or str(error)
    if fault:
        raise ConfigError(
            f"{option} {folder}: cannot be written\nexpected  the name of a new folder\nfound     {fault}\n"
            f"Name another{advice}."
        )


def _folder_fault(folder: Path, names: Collection[str], *, force: bool) -> tuple[str, str]:
    """Return why what is there cannot become the folder, empty if it can, and what to do beside naming another."""
    if folder.is_symlink() or not folder.is_dir():
        return "a link" if folder.is_symlink() else "an existing file", ""
    there = sorted(each.name for each in folder.iterdir())
    if others := [name for name in there if name not in names or not (folder / name).is_file()]:
        return f"a folder with other files: {', '.join(others[:3])}{' …' * (len(others) > 3)}", ""
    return ("an existing folder", ", or add --force to replace it") if there and not force else ("", "")


def _beginning(file: Path) -> str:
    with open(file, encoding="utf-8", errors="replace") as stream:
        return stream.read(BEGINNING)


def _fault(file: Path) -> str:
    """Return why a file of this name cannot be written; empty if it can."""
    if "\0" not in str(file) and file.is_dir():
        return "a folder"
    if "\0" not in str(file) and file.exists() and not file.is_file():
        return "a device or pipe"
    return _place_fault(file)


def _place_fault(path: Path) -> str:
    """Return why nothing of this name can be created; empty if it can."""
    folder = path.absolute().parent
    if "\0" in str(path):
        return "a null character in the name"
    if not folder.is_dir():
        return f"no folder {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"no permission to write to the folder {folder}"
    return ""


def place(files: Sequence[Path], write: Callable[[Path], Sequence[Path]]) -> None:
    """Let `write` create the files under temporary names, then rename them: all appear, the first one last, or none.

    `write` receives the temporary name of the first file and returns the files it made, in the order of `files`. Raises
    StoreError if the disk refuses.
    """
    first = files[0]
    beside = first.with_name(f".w2v-{token_hex(4)}{first.suffix}")
    try:
        first.parent.mkdir(parents=True, exist_ok=True)
        made = write(beside)
        for each in made:
            sync(each)
        if len(files) > 1:  # an old file beside new words would be read without an error
            first.unlink(missing_ok=True)
        for each, file in reversed(list(zip(made, files, strict=True))):
            os.replace(each, file)
        sync(first.absolute().parent)
    except OSError as error:
        raise _unwritten(first, error) from error
    finally:
        for left in first.parent.glob(f"{beside.name.removesuffix(first.suffix)}*"):
            left.unlink()


def place_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a new folder under a temporary name, then rename it: it appears whole or not at all.

    An earlier folder of the name is replaced. Raises StoreError if the disk refuses.
    """
    beside, former = (folder.with_name(f".w2v-{token_hex(4)}") for _ in range(2))
    try:
        beside.mkdir()
        write(beside)
        for each in (*beside.iterdir(), beside):
            sync(each)
        if folder.exists():
            os.replace(folder, former)
        try:
            os.replace(beside, folder)
        except OSError:
            os.replace(former, folder)
            raise
        sync(folder.absolute().parent)
    except OSError as error:
        raise _unwritten(folder, error) from error
    finally:
        for left in (beside, former):
            shutil.rmtree(left, ignore_errors=True)


def _unwritten(place: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{place}: cannot be written\nexpected  a folder with room for it\nfound     {error.strerror or error}\n"
        "Choose another place, or free some space there."
    )


def place_text(file: Path, text: str) -> None:
    """Place one text file as `place` does."""

    def write(beside: Path) -> list[Path]:
        beside.write_text(text, encoding="utf-8")
        return [beside]

    place([file], write)
