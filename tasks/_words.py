"""Word lists from the user: UTF-8, one word a line; blank lines and repeated words do no harm."""

from pathlib import Path

from tasks._errors import InputError
from tasks._files import digest_of_file


def list_digest(path: str | None, key: str) -> str | None:
    """Of the list that the config's `key` names. Raises InputError if it cannot be read."""
    if path is None:
        return None
    try:
        return digest_of_file(Path(path))
    except OSError as error:
        raise InputError(
            f"{path}: cannot read this word list ({error.strerror}).\n{key} is a UTF-8 file with one word a line."
        ) from error


def read_words(path: str, key: str) -> list[str]:
    """Each word once, in order. Raises InputError if the list is not text."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8.\n{key} has one word a line.") from error
    return list(dict.fromkeys(word for line in lines if (word := line.strip())))
