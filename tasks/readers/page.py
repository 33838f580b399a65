"""docs/reference/formats.md, made of the tables of formats:
`python -m tasks.readers.page > docs/reference/formats.md`."""

import json
from collections.abc import Iterator
from pathlib import Path

from tasks.readers.archives import GROWTH, HARMLESS, LINE
from tasks.readers.arrow_messages import LARGEST
from tasks.readers.formats import COMPRESSED, READ
from tasks.readers.refused import REFUSED
from tasks.readers.rows import LONGEST_ROW

RUN = Path("benchmarks/results/damage.json")  # what the last long run of tests/tasks/readers/test_damage.py counted
HEAD = """\
# What we read, and how it is checked

Made of the tables in `tasks/readers/formats.py` and `tasks/readers/refused.py`:
`python -m tasks.readers.page > docs/reference/formats.md`.

The same holds for every way a file arrives: named outright, in a folder, by a pattern, in a `.zip`, from a URL, from
S3. Text is UTF-8, with or without a byte order mark. A suffix says what a file should be, its first bytes say what it
is; where they disagree, it is refused by what it is. A file without a suffix, or of an unknown one that is named
outright, is what its first bytes say.

| format | suffixes | one document is | without a suffix, known by | an error |
|---|---|---|---|---|
"""
BESIDES = """
Files of no bytes, and names that begin with `.` or `_` (Spark's `_SUCCESS`, macOS's `._x`), are no documents, nor is
what lies in `__MACOSX/`. What a folder, pattern or archive holds besides is told by name and number, by `w2v plan` and
at the end of ingestion.

## What is refused, and the way on

Known by its first bytes, whatever it is called; or by a suffix of these, where it begins like text.

| what | the way on |
|---|---|
"""
ODD = """\
| UTF-16, UTF-32, with a byte order mark or without | `iconv -f UTF-16 -t UTF-8 FILE > NEW` |
| other binary data, by its control characters | leave it out |
| devices, pipes, sockets, links that lead out or nowhere, what may not be read | put a copy there |
"""
BOUNDS = f"""
## Bounds

- A row, a line of a table or an object: {LONGEST_ROW:,} bytes. A text file may be one line of any length.
- What comes out of a file: {GROWTH} times its size, or {HARMLESS:,} bytes if that is more. Each line and row weighs
  {LINE} bytes besides its own, as it takes as much time.
- A batch of an Arrow file: {LARGEST:,} bytes.
- So no input of 1 MB takes over 1 GB of memory or a minute:
  `tests/tasks/readers/test_columnar_rows.py` measures it on files
  made to break it.
"""
CHECKED = """
## Damaged files

Whole files of every kind, each damaged at random (a byte changed, bytes taken out or doubled, cut short, a block of
zeros), are read by `pytest -m long tests/tasks/readers/test_damage.py`. What has checksums (compressed files, archives,
Parquet
if its writer adds them, as `a.parquet` here) is refused or read the same. What has none cannot show that a letter has
changed, or that a text ends early; what does show is counted or refused. No file was a crash, or took over 1 GB or a
minute. The last run:

| file | damaged | refused | read, with losses counted | read, other words | read, the same |
|---|---|---|---|---|---|
"""


def page(run: dict[str, dict[str, int]]) -> str:
    packed = ", ".join(f"`{suffix}`" for suffix in COMPRESSED)
    also = f"\nEach also compressed ({packed}) or in a `.zip`; `installed-docs` reads Python packages.\n"
    parts = [HEAD, *_read(), also, BESIDES, *_refused(), ODD, BOUNDS]
    return "".join([*parts, CHECKED, *_checked(run)] if run else parts)


def _read() -> Iterator[str]:
    for each in READ.values():
        suffixes = " ".join(f"`{suffix}`" for suffix in each.suffixes)
        yield f"| {each.name} | {suffixes} | {each.documents} | {each.content} | {each.strict} |\n"


def _refused() -> Iterator[str]:
    for each in REFUSED:
        suffixes = " ".join(f"`{suffix}`" for suffix in each.suffixes)
        name = each.name.replace("<doc>", "`<doc>`")
        yield f"| {name} {suffixes} | {each.way} |\n".replace("  |", " |")


def _checked(run: dict[str, dict[str, int]]) -> Iterator[str]:
    total = {"refused": 0, "counted": 0, "changed": 0, "same": 0}
    for kind, counts in run.items():
        total = {name: total[name] + counts[name] for name in total}
        yield f"| `{kind}` | {sum(counts.values())} | {' | '.join(str(counts[name]) for name in total)} |\n"
    yield f"| all | {sum(total.values()):,} | {' | '.join(f'{count:,}' for count in total.values())} |\n"


def main() -> None:
    print(page(json.loads(RUN.read_text(encoding="utf-8")) if RUN.exists() else {}), end="")


if __name__ == "__main__":
    main()
