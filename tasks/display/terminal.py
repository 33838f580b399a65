"""Text from elsewhere on a terminal: words, names and paths are shown, never obeyed."""

import logging
import re

# control characters but tab and line feed, marks that turn the direction of the text, surrogates (bytes of a path)
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: object) -> str:
    """The text with what a terminal would obey written as Python escapes: `\\x1b[2J`, `\\u202e`."""
    return OBEYED.sub(_escaped, str(text))


def one_line(text: object) -> str:
    """The same, line ends too: what stands in a cell of a table."""
    return visible(text).replace("\n", r"\n").replace("\t", r"\t")


class Visible(logging.Formatter):
    """Log records as a terminal may have them."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _escaped(found: "re.Match[str]") -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
