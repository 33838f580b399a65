"""How a table looks in a terminal."""

from collections.abc import Iterable, Sequence

from rich.table import Table


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    lines = Table(*head, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        lines.add_row(*row)
    return lines
