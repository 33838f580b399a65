"""Evaluation sets as their authors publish them: pairs with a human score, and analogies in questions-words format.

Blank lines and comments (`#`) count for nothing; anything else that is not what the format says is an InputError
with the file and the line.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from tasks._errors import InputError
from tasks._files import digest_of_file


class Pair(NamedTuple):
    words: tuple[str, ...]
    score: float  # by people; only its order counts


class Analogy(NamedTuple):
    """a is to b as c is to d, which is sought."""

    section: str
    words: tuple[str, ...]


Entry = TypeVar("Entry", Pair, Analogy)


class Line(NamedTuple):
    number: int
    text: str


def digests(files: list[str]) -> dict[str, str]:
    """The digest of each set by its name. Raises InputError if a file cannot be read or two have one name."""
    found: dict[str, str] = {}
    for file in files:
        name = set_name(file)
        if name in found:
            raise InputError(f"{file}: another evaluation set is called {name} too.\nRename one of the files.")
        try:
            found[name] = digest_of_file(Path(file))
        except OSError as error:
            raise InputError(
                f"{file}: cannot read this evaluation set ({error.strerror}).\n"
                "Mend evaluation.similarity, .analogies or .domain; without any, the other judges still run."
            ) from error
    return found


def set_name(file: str) -> str:
    """What the set is called in metrics: `eval/WordSim 353.tsv` is `wordsim-353`."""
    return re.sub(r"\W+", "-", Path(file).stem.lower(), flags=re.ASCII)


def read_pairs(file: str) -> list[Pair]:
    """Lines of `word word score` separated by tabs, commas or spaces; one line of column names may come first."""
    lines = _lines(file)
    names = _fields(lines[0]) if lines else []
    if len(names) == 3 and _number(names[2]) is None:
        lines = lines[1:]
    return _some(file, [_pair(file, line) for line in lines], "two words and a score")


def read_analogies(file: str) -> list[Analogy]:
    """Lines of four words, under lines of `: section`."""
    return _some(file, list(_analogies(file)), "four words")


def _pair(file: str, line: Line) -> Pair:
    match _fields(line):
        case [a, b, text] if a and b and (score := _number(text)) is not None:
            return Pair((a, b), score)
    raise _malformed(file, line, "two words and a score, separated by tabs or commas")


def _analogies(file: str) -> Iterator[Analogy]:
    section = ""
    for line in _lines(file):
        words = tuple(line.text.split())
        if line.text.startswith(":"):
            section = line.text[1:].strip()
        elif len(words) == 4:
            yield Analogy(section, words)
        else:
            raise _malformed(file, line, "four words, or a colon and the name of a section")


def _lines(file: str) -> list[Line]:
    try:
        texts = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: byte {error.start} is not UTF-8.\nSave this evaluation set as UTF-8.") from error
    lines = [Line(number, text.strip()) for number, text in enumerate(texts, start=1)]
    return [line for line in lines if line.text and not line.text.startswith("#")]


def _some(file: str, entries: list[Entry], expected: str) -> list[Entry]:
    if not entries:
        raise InputError(f"{file}: this evaluation set is empty\nexpected  lines of {expected}")
    return entries


def _fields(line: Line) -> list[str]:
    separator = next((mark for mark in "\t," if mark in line.text), None)
    return [field.strip() for field in line.text.split(separator)]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _malformed(file: str, line: Line, expected: str) -> InputError:
    return InputError(
        f"{file}: line {line.number} is not what an evaluation set holds\n"
        f"expected  {expected}\nfound     {line.text[:80]!r}\n"
        "Mend the line, or begin it with # to leave it out."
    )
