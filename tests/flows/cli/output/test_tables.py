"""Tables and paragraphs in a terminal: text from outside is shown literally."""

import io
import re

import pytest
from rich.console import Console

from flows.cli.output import tables
from flows.cli.output.tables import say, table
from tests.support.paths import PROJECT

NASTY = ["[red]", "[/x]", "[bold]no[/bold]", "\\[", ":smile:", "\x1b[31m", "a\nb", "\u202e"]
SHOWN = ["[red]", "[/x]", "[bold]no[/bold]", "\\[", ":smile:", r"\x1b[31m", r"a\nb", r"\u202e"]


@pytest.fixture
def console() -> Console:
    """A console with markup and emoji on, as by mistake."""
    return Console(file=io.StringIO(), width=400, force_terminal=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_markup_in_words_is_shown(console: Console) -> None:
    """Markup is shown literally in cells, heads and paragraphs."""
    console.print(table(NASTY, [NASTY]))
    for text in NASTY:
        say(console, text, (text, "bold"))
    heads, cells, *_ = printed(console).splitlines()

    assert heads.split() == cells.split() == SHOWN
    assert "[/x][/x]" in printed(console)
    assert "\x1b" not in printed(console)


def test_neighbours_of_brackets(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished retraining whose words look like markup prints its table without an error."""
    monkeypatch.setattr(tables, "console", console)
    tables.show_neighbors({word: [(other, 0.5) for other in NASTY] for word in NASTY})

    line = "  ".join(f"{other} 0.50" for other in SHOWN)
    assert all(line in each for each in printed(console).splitlines()[1:])


def test_no_markup_remains() -> None:
    """Consoles print only our tables and plain `Text`, and no style in brackets is left in the code."""
    paths = [path for room in ("flows", "tasks") for path in (PROJECT / room).rglob("*.py")]
    sources = {path.relative_to(PROJECT).as_posix(): path.read_text() for path in paths}
    styles = re.compile(r"\[/?(bold|dim|red|green|yellow|blue|cyan|magenta|italic)[^]\n]*\]")
    strings = re.compile(r"console\.print\((?!\)|table\(|Text\.assemble\()")
    reading = re.compile(r"(TextColumn|Console)\((?!.*markup=False)")

    assert not [name for name, source in sources.items() if styles.search(source) or strings.search(source)]
    assert not [
        name for name, source in sources.items() if "rich.table" in source and name != "flows/cli/output/tables.py"
    ]
    assert not [name for name, source in sources.items() if reading.search(source)]
