"""One form of every word, for the corpus, questions, evaluation sets and word lists alike.

    lower case   each character by Unicode's simple mapping: ß stays ß and İ becomes i, as does i with a dot above it;
                 then σ at the end of a word becomes ς
    NFC          é is one character, however it was typed; nothing that looks different becomes the same
    invisible    soft hyphens, marks of direction and byte order marks are removed; joiners (ZWNJ, ZWJ) stay between
                 letters, marks and digits, and are removed elsewhere; so are marks without a letter to stand on
    words        runs of letters, marks, digits and joiners, or the matches of a pattern; digits may be spelled out

Imports nothing of this project: every logged model carries this file, and answers by it (see _pyfunc).
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

VERSION = 1  # of these rules, as models keep them
KEY = b"tokenization"  # under which a Parquet file keeps them
BREAK = "\0"  # between words; ingestion lets no text pass that has one

PARAGRAPH = "\u2029"  # where ICU always sees the end of a word

# RE2 has Unicode's categories; its \\w and \\b are ASCII only
JOINERS = r"\x{180e}\x{200c}\x{200d}"
PART = r"\p{L}\p{M}\p{N}" + JOINERS
NO_WORD = f"[^{PART}]+"
INVISIBLE = r"[\x{ad}\x{61c}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{2066}-\x{206f}\x{feff}]"
COMPOSABLE = (  # what NFC may change beside marks; a test holds this against Unicode's tables
    r"\x{374}\x{37e}\x{387}\x{958}-\x{95f}\x{9dc}-\x{9df}\x{a33}-\x{a5e}\x{b5c}\x{b5d}\x{f43}-\x{f69}\x{1100}-\x{11ff}"
    r"\x{1f00}-\x{1fff}\x{2000}\x{2001}\x{2126}\x{212a}\x{212b}\x{2329}\x{232a}\x{2adc}\x{f900}-\x{fb4f}"
    r"\x{16d63}-\x{16d6a}\x{1d15e}-\x{1d1c0}\x{2f800}-\x{2fa1f}"
)
SPECIAL = rf"[\p{{M}}σ{JOINERS}{COMPOSABLE}]|{INVISIBLE}"  # a text with none of these is only lowered
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPACELESS = {  # scripts that put no space between words
    "Chinese or Japanese": r"[\p{Han}\p{Hiragana}\p{Katakana}]",
    "Thai": r"\p{Thai}",
    "Khmer": r"\p{Khmer}",
    "Lao": r"\p{Lao}",
    "Burmese": r"\p{Myanmar}",
}
ANY_SPACELESS = "|".join(SPACELESS.values())


class Rules(NamedTuple):
    """What decides the form of a word, as the section [tokenization] says it."""

    lowercase: bool = True
    digits: str = "keep"
    pattern: str | None = None
    segmenter: str | None = None

    @classmethod
    def of(cls, config: Any) -> "Rules":
        return cls(config.lowercase, config.digits, config.pattern, config.segmenter)

    @classmethod
    def read(cls, metadata: dict[bytes, bytes] | None) -> "Rules | None":
        """From the metadata of a Parquet file; None where an older version wrote it."""
        return cls.loads(text) if (text := (metadata or {}).get(KEY)) else None

    @classmethod
    def loads(cls, text: bytes | str) -> "Rules":
        values = json.loads(text)
        if (version := values.pop("version")) != VERSION:
            raise ValueError(f"words were normalised by rules of version {version}; this program knows {VERSION}")
        return cls(**values)

    def dumps(self) -> str:
        return json.dumps({"version": VERSION, **self._asdict()})


class Lookup:
    """The rows of words: as they are written, else in the form that these rules give them.

    Without rules, which older versions did not keep, it is the lower case that is looked up.
    """

    def __init__(self, words: Sequence[str], rules: Rules | None) -> None:
        self.ids = {word: row for row, word in enumerate(words)}
        self.rules = rules

    def rows(self, words: Sequence[str]) -> list[int]:
        """−1 for a word that is unknown."""
        rows = [self.ids.get(word, -1) for word in words]
        missing = [place for place, row in enumerate(rows) if row < 0]
        for place, form in zip(missing, self.forms([words[place] for place in missing]), strict=True):
            rows[place] = self.ids.get(form[0], -1) if len(form) == 1 else -1
        return rows

    def forms(self, words: Sequence[str]) -> list[list[str]]:
        """What each becomes: one word, or none or several where it is none by these rules."""
        return [[word.lower()] for word in words] if self.rules is None else forms(words, self.rules)


def forms(texts: Sequence[str], rules: Rules) -> list[list[str]]:
    """The words of each text."""
    if not texts:
        return []
    clean = [text.encode(errors="replace").decode() for text in texts]  # half a surrogate pair is no character
    found, lists = words(normalized(pa.array(clean, pa.large_string()), rules.lowercase), rules)
    rest = iter(lists.to_pylist())
    return [next(rest) if is_there else [] for is_there in found.to_pylist()]


def normalized(text: pa.Array, lowercase: bool) -> pa.Array:
    """Each text in the one form, before it is cut into words."""
    if lowercase:
        text = pc.utf8_lower(text)
    plain = pc.string_is_ascii(text)
    if pc.all(plain).as_py():
        return text
    others = text.filter(pc.invert(plain))
    changed = _where(others, SPECIAL, lambda special: _carefully(special, lowercase))
    return pc.replace_with_mask(text, pc.invert(plain), changed)


def words(text: pa.Array, rules: Rules) -> tuple[pa.Array, pa.Array]:
    """Of texts in the one form: which hold a word, and the words of these."""
    for pattern, replacement in _digit_replacements(rules.digits):
        text = pc.replace_substring_regex(text, pattern, replacement)
    broken = pc.utf8_trim(_broken(text, rules.pattern), BREAK)
    found = pc.not_equal(broken, "")
    lists = pc.split_pattern(broken.filter(found), BREAK)
    return found, _segmented(lists) if rules.segmenter else lists


def spaceless(text: pa.Array) -> dict[str, int]:
    """How many characters of each script that puts no space between words; scripts that are not there are left out."""
    text = text.filter(pc.match_substring_regex(text, ANY_SPACELESS)) if len(text) else text
    counts = {name: pc.sum(pc.count_substring_regex(text, script)).as_py() for name, script in SPACELESS.items()}
    return {name: count for name, count in counts.items() if count}


def _where(text: pa.Array, pattern: str, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Change only the texts that match: to search is ten times as quick as to replace."""
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
    replace(f"[{JOINERS}]", rf"[{JOINERS}]+([^{PART}]|$)", r"\1")  # before what is no part of a word
    replace(rf"[\p{{M}}{JOINERS}]", rf"(^|[^{PART}])[\p{{M}}{JOINERS}]+", r"\1")  # on what is none
    if lowercase:
        replace("σ", rf"(\p{{L}}[\p{{M}}{JOINERS}]*)σ([^\p{{L}}\p{{M}}{JOINERS}]|$)", r"\1ς\2")
    return text


def _composed(text: pa.Array) -> pa.Array:
    # pyarrow's utf8_normalize decomposes, whatever form it is told (apache/arrow#51225, there up to 25)
    return pa.array([unicodedata.normalize("NFC", each) for each in text.to_pylist()], text.type)


def _broken(text: pa.Array, pattern: str | None) -> pa.Array:
    """The words of each text and nothing else, with a BREAK between two."""
    if pattern is None:
        return pc.replace_substring_regex(text, NO_WORD, BREAK)
    marked = pc.replace_substring_regex(text, pattern, BREAK + r"(\0" + BREAK + ")")
    # from the mark after a word to the mark before the next, over any marks around an empty match
    return pc.replace_substring_regex(marked, r"(?:^|\x00\))[^\x00]*(?:\x00\(\x00\)[^\x00]*)*(?:\x00\(|$)", BREAK)


def _segmented(lists: pa.Array) -> pa.Array:
    """Cut each word of a script without spaces where ICU's dictionaries see the end of one."""
    flat = lists.flatten()
    chosen = pc.match_substring_regex(flat, ANY_SPACELESS)
    if not pc.any(chosen).as_py():
        return lists
    cut = pc.replace_with_mask(flat, chosen, pa.array(_cut(flat.filter(chosen).to_pylist()), flat.type))
    pieces = pc.split_pattern(cut, BREAK)
    ends = np.concatenate([[0], np.cumsum(pieces.value_lengths().to_numpy())])
    return pa.ListArray.from_arrays(pa.array(ends[lists.offsets.to_numpy()], pa.int32()), pieces.flatten())


def _cut(clauses: list[str]) -> list[str]:
    """Each with a BREAK between its words; all in one call, since a call takes as long as 30 characters."""
    from icu4py.breakers import WordBreaker

    text = PARAGRAPH.join(clause.replace(PARAGRAPH, "") for clause in clauses)
    pieces = WordBreaker(text, "root")  # not its segments(), which count as UTF-16 does
    return BREAK.join(pieces).split(BREAK + PARAGRAPH + BREAK)


def _digit_replacements(digits: str) -> Iterator[tuple[str, str]]:
    """With the marks that stand on a digit, and the joiners beside it."""
    if digits == "drop":
        yield rf"[{JOINERS}]*\p{{N}}[\p{{N}}\p{{M}}{JOINERS}]*", " "
    if digits == "spell":
        for name, characters in zip(DIGITS, _decimal_digits(), strict=True):
            yield rf"[{JOINERS}]*[{characters}][\p{{M}}{JOINERS}]*", f" {name} "


@cache
def _decimal_digits() -> tuple[str, ...]:
    """For each of 0 to 9, the characters that mean it in the scripts of the world."""
    digits = ["" for _ in DIGITS]
    for character in map(chr, range(sys.maxunicode + 1)):
        if (value := unicodedata.decimal(character, None)) is not None:
            digits[value] += character
    return tuple(digits)
