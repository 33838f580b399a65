"""Tables and sentences in a terminal: text from elsewhere is shown as it is."""

import io
import re

import pytest
from rich.console import Console

from flows.cli import report
from flows.cli.tables import say, table
from tests.support.paths import PROJECT

NASTY = ["[red]", "[/x]", "[bold]no[/bold]", "\\[", ":smile:", "\x1b[31m", "a\nb", "\u202e"]
SHOWN = ["[red]", "[/x]", "[bold]no[/bold]", "\\[", ":smile:", r"\x1b[31m", r"a\nb", r"\u202e"]


@pytest.fixture
def console() -> Console:
    """As a careless caller makes one: markup and emoji are on."""
    return Console(file=io.StringIO(), width=400, force_terminal=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_markup_in_words_is_shown(console: Console) -> None:
    """In a table's cells and head, and in sentences."""
    console.print(table(NASTY, [NASTY]))
    for text in NASTY:
        say(console, text, (text, "bold"))
    heads, cells, *_ = printed(console).splitlines()

    assert heads.split() == cells.split() == SHOWN
    assert "[/x][/x]" in printed(console)
    assert "\x1b" not in printed(console)


def test_neighbours_of_brackets(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished retraining whose words look like markup ends with its table, not with an error."""
    monkeypatch.setattr(report, "console", console)
    report.show_neighbors({word: [(other, 0.5) for other in NASTY] for word in NASTY})

    line = "  ".join(f"{other} 0.50" for other in SHOWN)
    assert all(line in each for each in printed(console).splitlines()[1:])


def test_no_markup_remains() -> None:
    """A console is given tables of ours and plain `Text` alone, and no style in brackets is left in the program."""
    paths = [path for room in ("flows", "tasks") for path in (PROJECT / room).rglob("*.py")]
    sources = {path.relative_to(PROJECT).as_posix(): path.read_text() for path in paths}
    styles = re.compile(r"\[/?(bold|dim|red|green|yellow|blue|cyan|magenta|italic)[^]\n]*\]")
    strings = re.compile(r"console\.print\((?!\)|table\(|Text\.assemble\()")
    reading = re.compile(r"(TextColumn|Console)\((?!.*markup=False)")

    assert not [name for name, source in sources.items() if styles.search(source) or strings.search(source)]
    assert not [name for name, source in sources.items() if "rich.table" in source and name != "flows/cli/tables.py"]
    assert not [name for name, source in sources.items() if reading.search(source)]
