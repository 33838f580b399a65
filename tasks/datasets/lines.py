"""Read the lines of small text files from users: UTF-8, with or without a byte order mark, any line ending."""

import re
from pathlib import Path
from typing import NamedTuple

from tasks.errors import InputError


class Line(NamedTuple):
    """A line without surrounding white space, and its number in the file, from 1."""

    number: int
    text: str


def read(file: str, what: str) -> list[Line]:
    """Return the lines that are not blank. Raises InputError if the file is not UTF-8 text."""
    try:
        text = Path(file).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: byte {error.start} is not UTF-8.\nSave this {what} as UTF-8.") from error
    lines = (Line(number, line.strip()) for number, line in enumerate(re.split("\r\n|\r|\n", text), start=1))
    return [line for line in lines if line.text]
