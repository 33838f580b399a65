"""The forms of words as in normalization.py, with the standard library alone: for logged models, which need no pyarrow.

Each logged model carries a copy of this module, or of normalization.py if its words are cut by a pattern or by ICU's
dictionaries. Characters newer than Python's Unicode tables may be judged otherwise than pyarrow judges them.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

DELIMITER = "_"
JOINERS = "\u180e\u200c\u200d"
INVISIBLE = re.compile("[\u00ad\u061c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# kinds of characters: Letter, σ, Mark, decimal Digit, other Number, Joiner; and any other, x
BEFORE_OTHERS = re.compile("J+(?![LσMDNJ])")
AFTER_OTHERS = re.compile("(?<![LσMDNJ])[MJ]+")
FINAL_SIGMA = re.compile("(?<=[Lσ])[MJ]*σ(?![LσMJ])")
NUMBERS = re.compile("J*[DN][DNMJ]*")
DIGIT = re.compile("J*D[MJ]*")
WORD = re.compile("[LσMDNJ]+")


class Rules(dict[str, Any]):
    """The settings of [tokenization] that decide the form of a word."""

    @classmethod
    def loads(cls, text: str) -> "Rules":
        return cls(json.loads(text))


class Lookup:
    """Find the rows of words: as written, otherwise in the form that the rules give them, several words as a phrase."""

    def __init__(self, words: Sequence[str], rules: Rules | None) -> None:
        self.ids = {word: row for row, word in enumerate(words)}
        self.rules = rules

    def rows(self, words: Sequence[str]) -> list[int]:
        """Return the row of each word; −1 if it is unknown."""
        found = [self.ids.get(word, -1) for word in words]
        return [
            row if row >= 0 else self.ids.get(DELIMITER.join(self.forms([word])[0]), -1)
            for row, word in zip(found, words, strict=True)
        ]

    def forms(self, words: Sequence[str]) -> list[list[str]]:
        """Return the words that each becomes: one, or none or several if it is not one word by these rules."""
        return [[word.lower()] if self.rules is None else forms(word, self.rules) for word in words]


def forms(text: str, rules: Rules) -> list[str]:
    """Return the words of a text."""
    if rules.get("kind") == "items":
        return [text]
    text = _normalized(text.encode(errors="replace").decode(), rules["lowercase"])
    if rules["digits"] == "drop":
        text = _replaced(text, NUMBERS, lambda _: " ")
    if rules["digits"] == "spell":
        text = _replaced(text, DIGIT, lambda piece: f" {DIGITS[next(_decimals(piece))]} ")
    return [text[each.start() : each.end()] for each in WORD.finditer(_kinds(text))]


def _normalized(text: str, lowercase: bool) -> str:
    if lowercase:
        text = "".join("i" if each == "İ" else each.lower() for each in text)  # σ stays σ at the end of a word
    if text.isascii():
        return text
    text = INVISIBLE.sub("", text)
    if lowercase:
        text = text.replace("i\u0307", "i")
    text = unicodedata.normalize("NFC", text)
    text = _replaced(text, BEFORE_OTHERS, lambda _: "")
    text = _replaced(text, AFTER_OTHERS, lambda _: "")
    return _replaced(text, FINAL_SIGMA, lambda piece: piece[:-1] + "ς") if lowercase else text


def _replaced(text: str, pattern: re.Pattern[str], change: Any) -> str:
    """Change the pieces whose kinds of characters match the pattern."""
    pieces, end = [], 0
    for found in pattern.finditer(_kinds(text)):
        pieces += [text[end : found.start()], change(text[found.start() : found.end()])]
        end = found.end()
    return "".join(pieces) + text[end:]


def _decimals(piece: str) -> Any:
    return (value for each in piece if (value := unicodedata.decimal(each, None)) is not None)


def _kinds(text: str) -> str:
    return "".join(map(_kind, text))


@cache
def _kind(character: str) -> str:
    if character in JOINERS:
        return "J"
    if character == "σ":
        return character
    kind = unicodedata.category(character)[0]
    if kind == "N":
        return "D" if unicodedata.decimal(character, None) is not None else "N"
    return kind if kind in "LM" else "x"
