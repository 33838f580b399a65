"""Settings without effect raise an error that names the key and what it is for."""

import zipfile
from pathlib import Path

import pytest

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.ingestion.applicable import check_applicable
from tasks.ingestion.sources import sources


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("some text")
    (tmp_path / "b.csv").write_text("text,id\nx,1\n")
    (tmp_path / "rows").write_text('{"text": "x"}\n')
    (tmp_path / "prose").write_text("some text")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("a.txt", "x")
        archive.writestr("b.png", "x")
    return tmp_path


def check(*places: str | Path, **settings: object) -> None:
    config = Ingestion(source=[str(place) for place in places], **settings)
    check_applicable(config, sources(config))


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("a.txt", "text_column", "review"),
        ("prose", "text_column", "review"),
        ("c.zip", "text_column", "review"),
        ("a.txt", "id_column", "id"),
        ("b.csv", "text_documents", "line"),
        ("rows", "text_documents", "line"),
        ("a.txt", "sha256", "0" * 64),
        ("a.txt", "distributions", ["numpy"]),
    ],
)
def test_what_applies_to_nothing_is_refused(corpus: Path, name: str, key: str, value: object) -> None:
    """A setting that applies to none of the sources is refused."""
    with pytest.raises(InputError, match=rf"^ingestion\.{key} = .* applies to nothing in .*{name}\nexpected  "):
        check(corpus / name, **{key: value})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("b.csv", {"text_column": "text", "id_column": "id"}),
        ("rows", {"id_column": "id"}),
        ("", {"id_column": "id", "text_documents": "line"}),
        ("c.zip", {"text_documents": "line"}),
        ("prose", {"text_documents": "line"}),
    ],
)
def test_what_applies_to_one_of_the_sources_is_right(corpus: Path, name: str, settings: dict[str, object]) -> None:
    """A setting that applies to one source is accepted, also to a file without a suffix or in an archive."""
    check(corpus / name, **settings)


def test_what_is_not_here_yet_may_be_anything() -> None:
    """A download without a suffix may be of any format."""
    check("https://host/export", sha256="0" * 64, text_column="review", text_documents="line")
