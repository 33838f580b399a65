"""Markdown that says words and names as they are, whatever signs are in them: no link, no element, no broken table.

Prefect's and MLflow's pages read several dialects: all of them know the entities of HTML's own signs, and no others;
a backslash before `<` does not hold in each.
"""

import re
from collections.abc import Sequence

_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]|~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_ADDRESS = re.compile(r":(?=//)|(?<=\S)@(?=\S+\.)|(?<=\bwww)\.", re.IGNORECASE)  # what becomes a link by itself
_BLOCK = re.compile(r"^(\d*)([.)#+=-])")  # what would begin a heading or a list


def text(words: str) -> str:
    """Words in a line, as they are."""
    escaped = _BREAKS.sub(" ", words).translate(_SIGNS)
    escaped = _ADDRESS.sub(r"\\\g<0>", escaped)
    return _BLOCK.sub(r"\1\\\2", escaped)


def code(name: str) -> str:
    """A name in a line, set as code."""
    line = _BREAKS.sub(" ", name)
    fence = _fence(line, 1)
    space = " " if line.strip("` ") != line or not line else ""
    return f"{fence}{space}{line}{space}{fence}"


def block(lines: str, language: str = "") -> str:
    """Lines set as code."""
    fence = _fence(lines, 3)
    return f"{fence}{language}\n{lines.rstrip()}\n{fence}"


def link(said: str, address: str) -> str:
    quoted = re.sub(r"[\s<>()\\]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), address)
    return f"[{text(said)}]({quoted})"


def tabular(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its cells are words, not Markdown."""
    lines = [[text(cell) for cell in line] for line in (head, *rows)]
    lines.insert(1, ["---"] * len(head))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fence(content: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    return "`" * (least if longest < least else longest + 1)
