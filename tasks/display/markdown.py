"""Escape words and names for Markdown, so that none becomes a link, an HTML element or a broken table.

Prefect and MLflow use different Markdown dialects. All of them know the entities of `&`, `<` and `>`; not all accept a
backslash before `<`.
"""

import re
from collections.abc import Sequence

_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]|~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_ADDRESS = re.compile(
    r":(?=//)|(?<=\S)@(?=\S+\.)|(?<=\bwww)\.", re.IGNORECASE
)  # text that some dialects turn into links
_BLOCK = re.compile(r"^(\d*)([.)#+=-])")  # the beginning of a heading or a list


def text(words: str) -> str:
    """Return words as escaped text on one line, which begins with no space: some would make it a list or code."""
    escaped = _BREAKS.sub(" ", words).lstrip().translate(_SIGNS)
    escaped = _ADDRESS.sub(r"\\\g<0>", escaped)
    return _BLOCK.sub(r"\1\\\2", escaped)


def code(name: str) -> str:
    """Return a name as inline code."""
    line = _BREAKS.sub(" ", name)
    fence = _fence(line, 1)
    space = " " if line.strip("` ") != line or not line else ""
    return f"{fence}{space}{line}{space}{fence}"


def block(lines: str, language: str = "") -> str:
    """Return lines as a code block."""
    fence = _fence(lines, 3)
    return f"{fence}{language}\n{lines.rstrip()}\n{fence}"


def link(label: str, address: str) -> str:
    """Return a link with escaped text and a quoted address."""
    quoted = re.sub(r"[\s<>()\\]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), address)
    return f"[{text(label)}]({quoted})"


def tabular(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose cells are escaped text."""
    lines = [[text(cell) for cell in line] for line in (head, *rows)]
    lines.insert(1, ["---"] * len(head))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fence(content: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    return "`" * (least if longest < least else longest + 1)
