"""Read evaluation sets as their authors publish them: pairs with a human score, and analogies like questions-words.

Columns are separated by tabs, semicolons, commas or blanks, quoted if necessary; a score may have a decimal comma.
Blank lines and comments are skipped: a comment begins with `#`, which is a word if it stands alone between tabs,
semicolons or commas. A header may come first: names that differ only in their endings (`word1`, `word2`), or first and
second. Anything else raises an InputError with the file and the line.
"""

import csv
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple, TypeVar

from configs.schema import Evaluation
from tasks.datasets.files import digest_of_file
from tasks.datasets.lines import Line
from tasks.datasets.lines import read as read_lines
from tasks.errors import InputError

SEPARATORS = ("\t", ";", ",", None)  # None stands for any blanks
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.IGNORECASE)
COLUMNS = ({"first", "second"}, {"left", "right"}, {"source", "target"}, {"word", "other"})
TAKEN = {"held_out", "held_out_per_pair", "mean_cosine"}  # names of scores that come from no set
LONGEST_NAME = 80  # characters; MLflow allows 250 for a metric, including prefix and suffix


class Pair(NamedTuple):
    """Two words and their human similarity score."""

    words: tuple[str, ...]
    score: float  # human score; only its order counts


class Analogy(NamedTuple):
    """The question "a is to b as c is to ?", whose answer is d."""

    section: str
    words: tuple[str, ...]


Entry = TypeVar("Entry", Pair, Analogy)


def judging_files(config: Evaluation) -> list[str]:
    """Return the files of all evaluation sets."""
    return [*config.similarity, *config.analogies, *config.domain]


def digests(files: list[str]) -> dict[str, str]:
    """Return the digest of each set by its name. Raises InputError if a file cannot be read or is given twice."""
    found: dict[str, str] = {}
    for file, name in zip(files, set_names(files), strict=True):
        try:
            found[name] = digest_of_file(Path(file))
        except OSError as error:
            raise InputError(
                f"{file}: cannot read this evaluation set ({error.strerror}).\n"
                "Correct evaluation.similarity, .analogies or .domain; without any, the other judges still run."
            ) from error
    return found


def set_names(files: Sequence[str]) -> list[str]:
    """Return the name of each set in metrics: `eval/WordSim 353.tsv` is `wordsim-353`, `相似度.tsv` is `相似度`.

    Equal names get their folder as a prefix, otherwise their suffix or a number. Raises InputError if one file is given
    twice.
    """
    paths = [Path(file).absolute() for file in files]
    if repeated := [file for file, path in zip(files, paths, strict=True) if paths.count(path) > 1]:
        raise InputError(f"{repeated[0]}: this evaluation set is given twice.\nRemove one of them from [evaluation].")
    spellings = [
        [_name(text) for text in texts]
        for texts in (
            [path.stem for path in paths],
            [f"{path.parent.name} {path.stem}" for path in paths],
            [path.name for path in paths],
        )
    ]
    names: list[str] = []
    for place, name in enumerate(spellings[0]):
        alone = (each[place] for each in spellings if each.count(each[place]) == 1)
        numbered = (f"{name}-{number}" for number in count(1))
        names.append(next(each for each in chain(alone, numbered) if each not in TAKEN and each not in names))
    return names


def _name(text: str) -> str:
    """Return the text with everything but letters and digits replaced by -, as MLflow requires."""
    return re.sub(r"\W+", "-", unicodedata.normalize("NFC", text).lower()).strip("-")[:LONGEST_NAME] or "set"


def read_pairs(file: str) -> list[Pair]:
    """Read a set of lines `word word score`. Raises InputError at a malformed line."""
    lines = _entries(file)
    if lines and _is_header(_fields(lines[0], 3), words=2):
        lines = lines[1:]
    pairs = _some(file, [_pair(file, line) for line in lines], "two words and a score")
    _check_decimals(file, lines)
    return pairs


def read_analogies(file: str) -> list[Analogy]:
    """Read a set of lines of four words, below lines `: section`. Raises InputError at a malformed line."""
    return _some(file, list(_analogies(file)), "four words")


def split(text: str, many: int) -> list[str]:
    """Return the `many` fields of a line by the first separator that gives so many, else by the first that occurs."""
    tried = [_parted(text, separator) for separator in SEPARATORS]
    fitting = [fields for fields in tried if len(fields) == many and all(fields)]
    return fitting[0] if fitting else next((fields for fields in tried if len(fields) > 1), [text])


def _parted(text: str, separator: str | None) -> list[str]:
    if separator is None:
        return text.split()
    if '"' not in text:
        return [field.strip() for field in text.split(separator)]
    try:
        (fields,) = csv.reader([text], delimiter=separator, skipinitialspace=True, strict=True)
    except csv.Error:
        return []
    return [field.strip() for field in fields]


def _pair(file: str, line: Line) -> Pair:
    match _fields(line, 3):
        case [a, b, text] if a and b and (score := _number(text)) is not None:
            return Pair((a, b), score)
    raise _malformed(file, line, "two words and a score, a number, separated by tabs, semicolons, commas or blanks")


def _analogies(file: str) -> Iterator[Analogy]:
    section = ""
    for number, line in enumerate(_entries(file)):
        words = tuple(_fields(line, 4))
        if line.text.startswith(":") and not _is_word(":", line.text):
            section = line.text[1:].strip()
        elif len(words) != 4 or not all(words):
            raise _malformed(file, line, "four words, or a colon and the name of a section")
        elif number or not _is_header(words, words=4):
            yield Analogy(section, words)


def _is_header(fields: Sequence[str], words: int) -> bool:
    """Return True if the fields are column names: of `words` words, and of a score if there is one."""
    names = {field.casefold() for field in fields[:words]}
    stems = {re.sub(r"[\s_.-]*([0-9]+|(?<=[\s_.-])[a-d])$", "", name) for name in names}
    named = len(names) == words and ((len(stems) == 1 and "" not in stems) or names in COLUMNS)
    return named and not any(map(_is_score, fields[words:]))


def _is_score(text: str) -> bool:
    return _number(text) is not None or text.casefold() in ("", "-", "nan", "inf", "-inf", "infinity")


def _entries(file: str) -> list[Line]:
    """Return the lines of the file without comments."""
    lines = read_lines(file, "evaluation set")
    return [line for line in lines if not line.text.startswith("#") or _is_word("#", line.text)]


def _is_word(sign: str, text: str) -> bool:
    """Return True if the sign stands alone in the first column, so that it starts no comment or section."""
    return any(mark in text and _parted(text, mark)[:1] == [sign] for mark in SEPARATORS if mark)


def _some(file: str, entries: list[Entry], expected: str) -> list[Entry]:
    if not entries:
        raise InputError(f"{file}: this evaluation set is empty\nexpected  lines of {expected}")
    return entries


def _fields(line: Line, many: int) -> list[str]:
    return split(line.text, many)


def _number(text: str) -> float | None:
    """Parse a finite number with a decimal point or comma; None if it is none."""
    number = float(text.replace(",", ".")) if NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def _check_decimals(file: str, lines: list[Line]) -> None:
    """Raises InputError if some scores have points and others commas: one of them separates thousands."""
    scores = [_fields(line, 3)[2] for line in lines]
    if any("." in score for score in scores):
        for line, score in zip(lines, scores, strict=True):
            if "," in score:
                raise _malformed(file, line, "a score with a decimal point, as in other lines")


def _malformed(file: str, line: Line, expected: str) -> InputError:
    return InputError(
        f"{file}: line {line.number} is not a valid line of an evaluation set\n"
        f"expected  {expected}\nfound     {line.text[:80]!r}\n"
        "Correct the line, or begin it with # to skip it; column names are word1, word2, score."
    )
