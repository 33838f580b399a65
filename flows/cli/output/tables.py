"""Print paragraphs and tables in a terminal; text from outside is never read as markup."""

import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.display.terminal import one_line, visible

WIDTH = None if sys.stdout.isatty() else 10_000  # a line is a line in a file
console = Console(highlight=False, markup=False, emoji=False, width=WIDTH)


def say(console: Console, *parts: str | tuple[str, str]) -> None:
    """Print one paragraph without wrapping it; a part may be a pair of text and style."""
    pieces = [part if isinstance(part, tuple) else (part, "") for part in parts]
    console.print(Text.assemble(*((visible(text), style) for text, style in pieces)), soft_wrap=True)


def cell(text: str, style: str = "") -> Text:
    """Return one line of text, with control characters made visible."""
    return Text(one_line(text), style)


def table(head: Sequence[str], rows: Iterable[Sequence[str | Text]], right: Sequence[str] = ()) -> Table:
    """Return a table with the titles of `head`, or none; the columns named in `right` are right-aligned."""
    width = max(map(len, rows := list(rows)), default=0)
    lines = Table(box=None, padding=(0, 2, 0, 0), show_header=bool(head))
    for number, title in enumerate(head or [""] * width):
        lines.add_column(cell(title), justify="right" if title in right else "left", no_wrap=number == 0)
    for row in rows:
        lines.add_row(*(each if isinstance(each, Text) else cell(each) for each in row))
    return lines


def tell(origin: object) -> None:
    """Print whose vectors answer, to standard error: standard output has nothing but the answer."""
    print(visible(f"of {origin}"), file=sys.stderr)


def tell_unseen(words: Sequence[str]) -> None:
    """Print, to standard error, which words are answered by their n-grams: one may be misspelt."""
    if words:
        listed = ", ".join(words)
        print(visible(f"not in the vocabulary, so answered by their n-grams: {listed}"), file=sys.stderr)


def show_neighbors(neighbors: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    """Print one line a word: its neighbours, nearest first, with their cosine similarity."""
    rows = []
    for word, near in neighbors.items():
        parts = [part for neighbor, cosine in near for part in (f"{one_line(neighbor)} ", (f"{cosine:.2f}  ", "dim"))]
        rows.append([cell(word, "bold"), Text.assemble(*parts)])
    console.print()
    console.print(table([], rows))
