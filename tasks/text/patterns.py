"""What `tokenization.pattern` means to RE2: refused where it is none or finds nothing, and told where it surprises.

RE2 is quick on any text, but it is not Python's `re`: its classes are ASCII, and it has no look-around.
"""

import re
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from tasks.errors import InputError
from tasks.text.normalization import BREAK

TRIED = ["", "a", "é", "1", "_", " ", "-", "a b", "café 1"]  # where an empty match shows
SURPRISING = {  # what people mean elsewhere → what it is here, what to write
    "w": ("only A–Z, a–z, 0–9 and _: café becomes caf", r"\p{L}\p{M}\p{N}_ between brackets"),
    "W": ("all but A–Z, a–z, 0–9 and _: é too", r"[^\p{L}\p{M}\p{N}_]"),
    "d": ("only 0–9", r"\p{Nd}"),
    "D": ("all but 0–9", r"\P{Nd}"),
    "b": ("a border of A–Z, a–z, 0–9 and _ only: café has one before é", "nothing: a match is as long as can be"),
    "B": ("no border of A–Z, a–z, 0–9 and _", "nothing: a match is as long as can be"),
    "s": ("only ASCII's blanks: no U+00A0, no U+3000", r"\s\p{Z} between brackets"),
    "S": ("all but ASCII's blanks: U+00A0 and U+3000 too", r"[^\s\p{Z}]"),
}
ESCAPES = re.compile(r"\\Q.*?(?:\\E|$)|\\(?P<escape>.)|\[:\^?(?P<named>\w+):\]", re.DOTALL)


@cache
def check(pattern: str | None) -> None:
    """Raise InputError if RE2 does not take the pattern, or it matches where there is nothing."""
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
            f"found     {pattern!r}, which matches the empty string\nWrite + for *, and leave out what may be missing."
        )


def warnings(pattern: str | None) -> list[str]:
    """A sentence for each part of the pattern that is something else in RE2 than in most places."""
    found = list(ESCAPES.finditer(pattern or ""))
    escapes = dict.fromkeys(each["escape"] for each in found if each["escape"] in SURPRISING)
    told = [
        f"tokenization.pattern: in RE2 \\{escape} is {SURPRISING[escape][0]}. Write {SURPRISING[escape][1]}."
        for escape in escapes
    ]
    if any(each["named"] for each in found):
        told.append("tokenization.pattern: in RE2 [:alpha:] and its like are ASCII only. Write \\p{L} and its like.")
    return told
