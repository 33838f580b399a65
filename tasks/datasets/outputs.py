"""Write files that a user names: never over other files, and whole or not at all."""

import os
from collections.abc import Callable, Sequence
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


def _beginning(file: Path) -> str:
    with open(file, encoding="utf-8", errors="replace") as stream:
        return stream.read(BEGINNING)


def _fault(file: Path) -> str:
    """Return why a file of this name cannot be written; empty if it can."""
    folder = file.absolute().parent
    if "\0" in str(file):
        return "a null character in the name"
    if file.is_dir():
        return "a folder"
    if file.exists() and not file.is_file():
        return "a device or pipe"
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
        raise StoreError(
            f"{first}: cannot be written\nexpected  a folder with room for it\nfound     {error.strerror or error}\n"
            "Choose another place, or free some space there."
        ) from error
    finally:
        for left in first.parent.glob(f"{beside.name.removesuffix(first.suffix)}*"):
            left.unlink()


def place_text(file: Path, text: str) -> None:
    """Place one text file as `place` does."""

    def write(beside: Path) -> list[Path]:
        beside.write_text(text, encoding="utf-8")
        return [beside]

    place([file], write)
