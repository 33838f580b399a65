"""Read word lists from users: UTF-8, one word a line; blank lines, repeated words and `# comments` are skipped."""

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tasks.datasets import lines
from tasks.datasets.files import digest_of_file
from tasks.errors import InputError
from tasks.text.normalization import DELIMITER, Rules, forms

FIRST = 5  # words that a message names


class WordList(NamedTuple):
    """A word list, matched with the words of a text."""

    words: list[str]  # each once, in the form that the text has
    unknown: list[str]  # words that the text does not contain, as written in the list

    @property
    def facts(self) -> dict[str, Any]:
        """Return what the manifest records about the list."""
        return {"words": len(self.words), "unknown": len(self.unknown), "first": self.unknown[:FIRST]}


def list_digest(path: str | None, key: str) -> str | None:
    """Return the digest of the list that the config's `key` names. Raises InputError if it cannot be read."""
    if path is None:
        return None
    try:
        return digest_of_file(Path(path))
    except OSError as error:
        raise InputError(
            f"{path}: cannot read this word list ({error.strerror}).\n{key} is a UTF-8 file with one word a line."
        ) from error


def read_words(path: str, key: str) -> list[str]:
    """Return each word once, in order, as written. Raises InputError if the list is not text, or holds counts."""
    found = [line.text for line in lines.read(path, "word list") if line.text == "#" or line.text.split()[0] != "#"]
    if found and all(len(fields := line.split()) == 2 and fields[1].isdecimal() for line in found):
        raise InputError(
            f"{path}: this word list holds counts\nexpected  one word a line\nfound     {found[0]!r}\n"
            f"Remove the numbers (cut -f 1 if they follow a tab, else cut -d ' ' -f 1), and set {key} to the result."
        )
    return list(dict.fromkeys(found))


def chosen(path: str, key: str, text: pa.ChunkedArray, place: str, rules: Rules) -> WordList:
    """Return the words of the list in the form that the text has: as written, otherwise as the rules normalise them.

    Several words of a line are one if they are a phrase of the text.

    Raises InputError if none of them is in the text, which the error calls `place`.
    """
    typed = read_words(path, key)
    found = forms(typed, rules)
    joined = [DELIMITER.join(form) for form in found]  # several words may be a phrase
    wanted = [*typed, *filter(None, joined)]
    known = set(text.filter(pc.is_in(text, value_set=pa.array(wanted, text.type))).to_pylist())
    words = [
        word if word in known or (len(form) != 1 and phrase not in known) else phrase
        for word, form, phrase in zip(typed, found, joined, strict=True)
    ]
    unknown = [each for each, word in zip(typed, words, strict=True) if word not in known]
    if not known:
        cut = [f"{word!r} is {len(form)} words there" for word, form in zip(typed, found, strict=True) if len(form) > 1]
        first = ", ".join(map(repr, text.slice(0, FIRST).to_pylist()))
        raise InputError(
            f"{path}: none of these {len(typed):,} words is in {place}\n"
            f"expected  words of {place}, whose most frequent are {first}\n"
            f"found     {', '.join(cut[:1] or map(repr, unknown[:FIRST])) or 'no words'}\n"
            f"Write the words of {key} as they are after [tokenization]."
        )
    return WordList(list(dict.fromkeys(words)), unknown)
