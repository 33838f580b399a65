"""Report the files beside the text that are not read: their number and the first names."""

from collections.abc import Sequence
from pathlib import Path

from configs.schema import Ingestion
from tasks.ingestion.sources import Source, unread
from tasks.readers.archives import clear_errors, unread_members
from tasks.readers.formats import ZIP, suffix

SHOWN = 5


def unread_files(config: Ingestion, planned: Sequence[Source], workspace: Path) -> list[str]:
    """Return the names of unread files in folders, patterns, prefixes and local archives."""
    found = unread(config)
    for source in planned:
        path = workspace / source.path if source.url else source.path
        if suffix(source.name) == ZIP and path.is_file() and path.stat().st_size:
            with clear_errors(source.name), open(path, "rb") as file:
                found += [f"{source.name}/{name}" for name in unread_members(file)]
    return found


def summary(names: Sequence[str]) -> str:
    """Return `3 files are not read: a.png, b.pdf, c.bak`; empty if there are none."""
    if not names:
        return ""
    verb = "file is" if len(names) == 1 else "files are"
    more = ", …" if len(names) > SHOWN else ""
    return f"{len(names):,} {verb} not read: {', '.join(f'{name:.60}' for name in names[:SHOWN])}{more}"
