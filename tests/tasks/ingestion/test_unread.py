"""Files that are not read are reported by number and name, except leftovers."""

import zipfile
from pathlib import Path

import pytest

from configs.schema import Ingestion
from tasks.ingestion.sources import sources
from tasks.ingestion.unread import summary, unread_files


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in ("a.txt", "b.pdf", "_draft.txt", "_SUCCESS", ".DS_Store", ".part.crc", "__MACOSX/._a.txt", "c/d.bak"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        for name in ("f.txt", "g.png", "__MACOSX/._f.txt", "empty.bin"):
            archive.writestr(name, "" if name == "empty.bin" else "x")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ["_draft.txt", "b.pdf", "c/d.bak", "e.zip/g.png"]),
        ("*", ["c/d.bak", "b.pdf", "e.zip/g.png"]),
        ("*.txt", []),
        ("a.txt", []),
        ("e.zip", ["e.zip/g.png"]),
        ("_*.txt", []),
    ],
)
def test_what_is_not_read_is_named(corpus: Path, pattern: str, expected: list[str]) -> None:
    """Unread files of folders, patterns and archives are named; hidden files and leftovers are not."""
    config = Ingestion(source=str(corpus / pattern))

    assert sorted(unread_files(config, sources(config), corpus)) == sorted(expected)


def test_many_are_told_by_the_first() -> None:
    """The report gives the first names and the total number."""
    assert summary([]) == ""
    assert summary(["a.png"]) == "1 file is not read: a.png"
    assert summary([f"{number}.png" for number in range(1234)]) == (
        "1,234 files are not read: 0.png, 1.png, 2.png, 3.png, 4.png, …"
    )
