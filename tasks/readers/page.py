"""Print the page on formats: `python -m tasks.readers.page > docs/reference/formats.md`."""

import json
from collections.abc import Iterator
from pathlib import Path

from tasks.readers.archives import GROWTH, HARMLESS, LINE
from tasks.readers.arrow_messages import LARGEST
from tasks.readers.formats import COMPRESSED, READ
from tasks.readers.refused import REFUSED
from tasks.readers.rows import LONGEST_ROW

RUN = Path("benchmarks/results/damage.json")  # the counts of the last long run of tests/tasks/readers/test_damage.py
HEAD = """\
# File formats

Generated from the tables in `tasks/readers/formats.py` and `tasks/readers/refused.py`:
`python -m tasks.readers.page > docs/reference/formats.md`.

The rules are the same whichever way a file arrives: by its name, in a folder, by a pattern, in a `.zip`, from a URL or
from S3. Text is UTF-8, with or without a byte order mark. A suffix states what a file should be, its first bytes show
what it is. If they disagree, the file is refused. A file without a suffix, or with an unknown one if you name the file
itself, is recognised by its first bytes.

| format | suffixes | one document is | recognised without a suffix by | an error |
|---|---|---|---|---|
"""
BESIDES = """
Empty files, names that begin with `.` or `_` (Spark's `_SUCCESS`, macOS's `._x`) and the contents of `__MACOSX/` are
skipped. Other files of a folder, pattern or archive that are not read are counted and named by `w2v plan` and at the
end of ingestion.

## Formats that are refused

They are recognised by their first bytes, whatever the name; or by their suffix, if they begin like text.

| format | what to do |
|---|---|
"""
ODD = """\
| UTF-16, UTF-32, with a byte order mark or without | `iconv -f UTF-16 -t UTF-8 FILE > NEW` |
| other binary data, by its control characters | leave it out |
| devices, pipes, sockets, links out of the folder or to nothing, files without permission | put a copy there |
"""
BOUNDS = f"""
## Limits

- A row, a line of a table or an object: {LONGEST_ROW:,} bytes. A text file may be one line of any length.
- The unpacked content of a file: {GROWTH} times its size, or {HARMLESS:,} bytes if that is more. Each line and row
  counts as {LINE} more bytes, since it also costs time.
- A batch of an Arrow file: {LARGEST:,} bytes.
- Therefore no input of 1 MB takes more than 1 GB of memory or one minute. `tests/tasks/readers/test_columnar_rows.py`
  measures this on files made to exceed it.
"""
CHECKED = """
## Damaged files

`pytest -m long tests/tasks/readers/test_damage.py` damages files of every format at random (a byte changed, bytes
removed or doubled, the end cut off, a block of zeros) and reads them. Formats with checksums (compressed files,
archives, Parquet if its writer adds them, as for `a.parquet` here) are refused or read unchanged. Without checksums, a
changed letter or a text that ends early goes unnoticed; any other damage is counted or refused. No file caused a crash,
or took more than 1 GB or one minute. The last run:

| file | damaged | refused | read, with losses counted | read, with other words | read, unchanged |
|---|---|---|---|---|---|
"""


def page(run: dict[str, dict[str, int]]) -> str:
    """Return the page; `run` has the counts of the last damage test by kind of file."""
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
