"""The page about formats is that of the tables."""

from pathlib import Path

import pytest

from tasks.readers import page


def test_the_page_is_not_stale(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m tasks.readers.page > docs/formats.md` makes it."""
    project = Path(__file__).parents[2]
    monkeypatch.chdir(project)
    page.main()

    assert capsys.readouterr().out == (project / "docs" / "formats.md").read_text(encoding="utf-8")
