"""Text from outside cannot control a terminal."""

import logging

import pytest

from tasks.display.terminal import Visible, one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b[31mred", r"\x1b[2J\x1b[31mred"),
        ("back\b\rover", r"back\x08\x0dover"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("\u2066isolated\u2069", r"\u2066isolated\u2069"),
        ("file\udcff", r"file\udcff"),
        ("می\u200cخواهم naïve 東京 [red] [/x] :smile:", "می\u200cخواهم naïve 東京 [red] [/x] :smile:"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    """Escapes, direction marks and undecodable bytes are written out; words of any script stay."""
    assert visible(text) == shown


def test_a_cell_is_one_line() -> None:
    """Newlines and tabs are escaped in cells of a table."""
    assert one_line("two\nlines\tand") == r"two\nlines\tand"


def test_a_log_shows_it_too() -> None:
    """Log messages are escaped, too, since they contain file names and answers of servers."""
    record = logging.LogRecord("w2v", logging.INFO, "", 0, "reads %s", ("\x1b[2J",), None)

    assert Visible("%(message)s").format(record) == r"reads \x1b[2J"
