"""Escape text from outside for a terminal, so that no word, name or path can control it."""

import logging
import re

# control characters except tab and line feed, marks of text direction, surrogates (undecodable bytes of a path)
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: object) -> str:
    """Return the text with control characters written as Python escapes: `\\x1b[2J`, `\\u202e`."""
    return OBEYED.sub(_escaped, str(text))


def one_line(text: object) -> str:
    """Return the same with newlines and tabs escaped, too: for a cell of a table."""
    return visible(text).replace("\n", r"\n").replace("\t", r"\t")


class Visible(logging.Formatter):
    """Format log records for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _escaped(found: "re.Match[str]") -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
