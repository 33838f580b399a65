"""Check `tokenization.pattern` against RE2: refuse invalid or empty matches, and warn where RE2 differs from Python.

RE2 is fast on any text, but differs from Python's `re`: its classes are ASCII only, and it has no look-around.
"""

import re
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from tasks.errors import InputError
from tasks.text.normalization import BREAK

TRIED = ["", "a", "é", "1", "_", " ", "-", "a b", "café 1"]  # texts that reveal an empty match
SURPRISING = {  # escape → its meaning in RE2, and what to write instead
    "w": ("only A–Z, a–z, 0–9 and _: café becomes caf", r"\p{L}\p{M}\p{N}_ between brackets"),
    "W": ("all but A–Z, a–z, 0–9 and _: é too", r"[^\p{L}\p{M}\p{N}_]"),
    "d": ("only 0–9", r"\p{Nd}"),
    "D": ("all but 0–9", r"\P{Nd}"),
    "b": ("a boundary of A–Z, a–z, 0–9 and _ only: café has one before é", "nothing: matches are as long as possible"),
    "B": ("no boundary of A–Z, a–z, 0–9 and _", "nothing: matches are as long as possible"),
    "s": ("only ASCII white space: no U+00A0, no U+3000", r"\s\p{Z} between brackets"),
    "S": ("all but ASCII white space: U+00A0 and U+3000 too", r"[^\s\p{Z}]"),
}
ESCAPES = re.compile(r"\\Q.*?(?:\\E|$)|\\(?P<escape>.)|\[:\^?(?P<named>\w+):\]", re.DOTALL)


@cache
def check(pattern: str | None) -> None:
    """Raise InputError if RE2 does not accept the pattern, or if it matches the empty string."""
    if pattern is None:
        return
    try:
        marked = pc.replace_substring_regex(pa.array(TRIED), pattern, f"{BREAK}<\\0{BREAK}>").to_pylist()
    except pa.ArrowInvalid as error:
        raise InputError(
            f"tokenization.pattern\nexpected  an RE2 expression of one word, such as [a-z]+\n"
            f"found     {pattern!r}: {error}\nRE2 has no look-around and no back-references."
        ) from error
    if any(f"{BREAK}<{BREAK}>" in each for each in marked):
        raise InputError(
            f"tokenization.pattern\nexpected  an RE2 expression of one word, at least a character long\n"
            f"found     {pattern!r}, which matches the empty string\nWrite + instead of *, without optional parts."
        )


def warnings(pattern: str | None) -> list[str]:
    """Return a sentence for each part of the pattern whose meaning in RE2 differs from other engines."""
    found = list(ESCAPES.finditer(pattern or ""))
    escapes = dict.fromkeys(each["escape"] for each in found if each["escape"] in SURPRISING)
    warned = [
        f"tokenization.pattern: in RE2 \\{escape} is {SURPRISING[escape][0]}. Write {SURPRISING[escape][1]}."
        for escape in escapes
    ]
    if any(each["named"] for each in found):
        warned.append(
            "tokenization.pattern: in RE2 [:alpha:] and similar classes are ASCII only. Write \\p{L} or similar."
        )
    return warned
