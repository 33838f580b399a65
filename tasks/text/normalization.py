"""Normalise words: one form for the corpus, queries, evaluation sets and word lists.

    lower case   each character by Unicode's simple mapping: ß stays ß and İ becomes i, as does i with a dot above it;
                 then σ at the end of a word becomes ς
    NFC          é is one character, however it was typed; characters that look different stay different
    invisible    soft hyphens, direction marks and byte order marks are removed; joiners (ZWNJ, ZWJ) are kept between
                 letters, marks and digits and removed elsewhere; combining marks without a letter are removed
    words        runs of letters, marks, digits and joiners, or the matches of a pattern; digits may be spelled out

This module imports nothing of the project: every logged model carries a copy and normalises queries with it (see
tasks/tracking/pyfunc.py).
"""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

VERSION = 1  # of these rules; stored with each model
ITEMS_VERSION = 2  # of those for items, which older programs do not know
KEY = b"tokenization"  # metadata key of the rules in a Parquet file
DELIMITER = "_"  # between the words of a phrase, which is one word
BREAK = "\0"  # between words; ingestion removes it from texts, and joins the ids of items with it

PARAGRAPH = "\u2029"  # ICU always ends a word here

# RE2 knows Unicode categories, but its \\w and \\b are ASCII only
JOINERS = r"\x{180e}\x{200c}\x{200d}"
PART = r"\p{L}\p{M}\p{N}" + JOINERS
NO_WORD = f"[^{PART}]+"
INVISIBLE = r"[\x{ad}\x{61c}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{2066}-\x{206f}\x{feff}]"
COMPOSABLE = (  # characters besides marks that NFC may change; a test compares this with Unicode's tables
    r"\x{374}\x{37e}\x{387}\x{958}-\x{95f}\x{9dc}-\x{9df}\x{a33}-\x{a5e}\x{b5c}\x{b5d}\x{f43}-\x{f69}\x{1100}-\x{11ff}"
    r"\x{1f00}-\x{1fff}\x{2000}\x{2001}\x{2126}\x{212a}\x{212b}\x{2329}\x{232a}\x{2adc}\x{f900}-\x{fb4f}"
    r"\x{16d63}-\x{16d6a}\x{1d15e}-\x{1d1c0}\x{2f800}-\x{2fa1f}"
)
SPECIAL = rf"[\p{{M}}σ{JOINERS}{COMPOSABLE}]|{INVISIBLE}"  # other texts are only lower-cased
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPACELESS = {  # scripts without spaces between words
    "Chinese or Japanese": r"[\p{Han}\p{Hiragana}\p{Katakana}]",
    "Thai": r"\p{Thai}",
    "Khmer": r"\p{Khmer}",
    "Lao": r"\p{Lao}",
    "Burmese": r"\p{Myanmar}",
}
ANY_SPACELESS = "|".join(SPACELESS.values())


class Rules(NamedTuple):
    """The settings of [tokenization] that decide the form of a word."""

    lowercase: bool = True
    digits: str = "keep"
    pattern: str | None = None
    segmenter: str | None = None
    kind: str = "text"  # or "items", whose ids stay as they are

    @classmethod
    def of(cls, config: Any) -> "Rules":
        if config.kind == "items":
            return cls(lowercase=False, kind="items")
        return cls(config.lowercase, config.digits, config.pattern, config.segmenter)

    @classmethod
    def read(cls, metadata: dict[bytes, bytes] | None) -> "Rules | None":
        """Return the rules from the metadata of a Parquet file; None if an older version wrote it."""
        return cls.loads(text) if (text := (metadata or {}).get(KEY)) else None

    @classmethod
    def loads(cls, text: bytes | str) -> "Rules":
        values = json.loads(text)
        if (version := values.pop("version")) not in (VERSION, ITEMS_VERSION):
            raise ValueError(f"words were normalised by rules of version {version}; this program knows {ITEMS_VERSION}")
        return cls(**values)

    def dumps(self) -> str:
        values = self._asdict()
        if self.kind == "text":
            del values["kind"]  # as it was before there were items
        return json.dumps({"version": VERSION if self.kind == "text" else ITEMS_VERSION, **values})


class Lookup:
    """Find the rows of words: as written, otherwise in the form that the rules give them, several words as a phrase.

    Without rules, which older versions did not store, words are looked up in lower case.
    """

    def __init__(self, words: Sequence[str], rules: Rules | None) -> None:
        self.ids = {word: row for row, word in enumerate(words)}
        self.rules = rules

    def rows(self, words: Sequence[str]) -> list[int]:
        """Return the row of each word; −1 if it is unknown."""
        rows = [self.ids.get(word, -1) for word in words]
        missing = [place for place, row in enumerate(rows) if row < 0]
        for place, form in zip(missing, self.forms([words[place] for place in missing]), strict=True):
            rows[place] = self.ids.get(DELIMITER.join(form), -1)  # several words may be a phrase
        return rows

    def forms(self, words: Sequence[str]) -> list[list[str]]:
        """Return the words that each becomes: one, or none or several if it is not one word by these rules."""
        return [[word.lower()] for word in words] if self.rules is None else forms(words, self.rules)


def forms(texts: Sequence[str], rules: Rules) -> list[list[str]]:
    """Return the words of each text."""
    if rules.kind == "items":
        return [[text] for text in texts]
    if not texts:
        return []
    clean = [text.encode(errors="replace").decode() for text in texts]  # half a surrogate pair cannot be encoded
    found, lists = words(normalized(pa.array(clean, pa.large_string()), rules.lowercase), rules)
    rest = iter(lists.to_pylist())
    return [next(rest) if is_there else [] for is_there in found.to_pylist()]


def normalized(text: pa.Array, lowercase: bool) -> pa.Array:
    """Return each text in normal form, before it is cut into words."""
    if lowercase:
        text = pc.utf8_lower(text)
    plain = pc.string_is_ascii(text)
    if pc.all(plain).as_py():
        return text
    others = text.filter(pc.invert(plain))
    changed = _where(others, SPECIAL, lambda special: _carefully(special, lowercase))
    return pc.replace_with_mask(text, pc.invert(plain), changed)


def words(text: pa.Array, rules: Rules) -> tuple[pa.Array, pa.Array]:
    """Return, for normalised texts, a mask of those that contain a word, and the words of these."""
    for pattern, replacement in _digit_replacements(rules.digits):
        text = pc.replace_substring_regex(text, pattern, replacement)
    broken = pc.utf8_trim(_broken(text, rules.pattern), BREAK)
    found = pc.not_equal(broken, "")
    lists = pc.split_pattern(broken.filter(found), BREAK)
    return found, _segmented(lists) if rules.segmenter else lists


def spaceless(text: pa.Array) -> dict[str, int]:
    """Return the number of characters of each script without spaces between words that occurs in the texts."""
    text = text.filter(pc.match_substring_regex(text, ANY_SPACELESS)) if len(text) else text
    counts = {name: pc.sum(pc.count_substring_regex(text, script)).as_py() for name, script in SPACELESS.items()}
    return {name: count for name, count in counts.items() if count}


def _where(text: pa.Array, pattern: str, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Apply `change` only to the texts that match: searching is ten times faster than replacing."""
    matching = pc.match_substring_regex(text, pattern)
    if not pc.any(matching).as_py():
        return text
    return pc.replace_with_mask(text, matching, change(text.filter(matching)))


def _carefully(text: pa.Array, lowercase: bool) -> pa.Array:
    def replace(holds: str, pattern: str, replacement: str) -> None:
        nonlocal text
        text = _where(text, holds, lambda matching: pc.replace_substring_regex(matching, pattern, replacement))

    replace(INVISIBLE, INVISIBLE, "")
    if lowercase:
        replace("i\u0307", "i\u0307", "i")
    text = _where(text, rf"[\p{{M}}{COMPOSABLE}]", _composed)
    replace(f"[{JOINERS}]", rf"[{JOINERS}]+([^{PART}]|$)", r"\1")  # before a character outside words
    replace(rf"[\p{{M}}{JOINERS}]", rf"(^|[^{PART}])[\p{{M}}{JOINERS}]+", r"\1")  # after such a character
    if lowercase:
        replace("σ", rf"(\p{{L}}[\p{{M}}{JOINERS}]*)σ([^\p{{L}}\p{{M}}{JOINERS}]|$)", r"\1ς\2")
    return text


def _composed(text: pa.Array) -> pa.Array:
    # pyarrow's utf8_normalize decomposes for every form (apache/arrow#51225, up to version 25)
    return pa.array([unicodedata.normalize("NFC", each) for each in text.to_pylist()], text.type)


def _broken(text: pa.Array, pattern: str | None) -> pa.Array:
    """Return only the words of each text, with a BREAK between them."""
    if pattern is None:
        return pc.replace_substring_regex(text, NO_WORD, BREAK)
    marked = pc.replace_substring_regex(text, pattern, BREAK + r"(\0" + BREAK + ")")
    # from the mark after a word to the mark before the next, over any marks around an empty match
    return pc.replace_substring_regex(marked, r"(?:^|\x00\))[^\x00]*(?:\x00\(\x00\)[^\x00]*)*(?:\x00\(|$)", BREAK)


def _segmented(lists: pa.Array) -> pa.Array:
    """Split words of scripts without spaces at ICU's dictionary boundaries."""
    flat = lists.flatten()
    chosen = pc.match_substring_regex(flat, ANY_SPACELESS)
    if not pc.any(chosen).as_py():
        return lists
    cut = pc.replace_with_mask(flat, chosen, pa.array(_cut(flat.filter(chosen).to_pylist()), flat.type))
    pieces = pc.split_pattern(cut, BREAK)
    ends = np.concatenate([[0], np.cumsum(pieces.value_lengths().to_numpy())])
    return pa.ListArray.from_arrays(pa.array(ends[lists.offsets.to_numpy()], pa.int32()), pieces.flatten())


def _cut(clauses: list[str]) -> list[str]:
    """Join the words of each clause with BREAK; one call for all, since a call costs as much as 30 characters."""
    from icu4py.breakers import WordBreaker

    text = PARAGRAPH.join(clause.replace(PARAGRAPH, "") for clause in clauses)
    pieces = WordBreaker(text, "root")  # not its segments(), which count UTF-16 units
    return BREAK.join(pieces).split(BREAK + PARAGRAPH + BREAK)


def _digit_replacements(digits: str) -> Iterator[tuple[str, str]]:
    """Yield patterns and replacements for digits, with their combining marks and the joiners beside them."""
    if digits == "drop":
        yield rf"[{JOINERS}]*\p{{N}}[\p{{N}}\p{{M}}{JOINERS}]*", " "
    if digits == "spell":
        for name, characters in zip(DIGITS, _decimal_digits(), strict=True):
            yield rf"[{JOINERS}]*[{characters}][\p{{M}}{JOINERS}]*", f" {name} "


@cache
def _decimal_digits() -> tuple[str, ...]:
    """Return, for each of 0 to 9, its characters in all scripts."""
    digits = ["" for _ in DIGITS]
    for character in map(chr, range(sys.maxunicode + 1)):
        if (value := unicodedata.decimal(character, None)) is not None:
            digits[value] += character
    return tuple(digits)
