"""What lies beside the text and is not read: told by count and by the first names."""

from collections.abc import Sequence
from pathlib import Path

from configs.schema import Ingestion
from tasks.ingestion.sources import Source, unread
from tasks.readers.archives import clear_errors, unread_members
from tasks.readers.formats import ZIP, suffix

SHOWN = 5


def unread_files(config: Ingestion, planned: Sequence[Source], workspace: Path) -> list[str]:
    """In folders, patterns, prefixes, and the archives that are on this machine."""
    found = unread(config)
    for source in planned:
        path = workspace / source.path if source.url else source.path
        if suffix(source.name) == ZIP and path.is_file() and path.stat().st_size:
            with clear_errors(source.name), open(path, "rb") as file:
                found += [f"{source.name}/{name}" for name in unread_members(file)]
    return found


def said(names: Sequence[str]) -> str:
    """`3 files are not read: a.png, b.pdf, c.bak`; nothing where there are none."""
    if not names:
        return ""
    verb = "file is" if len(names) == 1 else "files are"
    more = ", …" if len(names) > SHOWN else ""
    return f"{len(names):,} {verb} not read: {', '.join(f'{name:.60}' for name in names[:SHOWN])}{more}"
