"""The page about formats is generated from the tables."""

import pytest

from tasks.readers import page
from tests.support.paths import PROJECT


def test_the_page_is_not_stale(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m tasks.readers.page > docs/reference/formats.md` changes nothing."""
    project = PROJECT
    monkeypatch.chdir(project)
    page.main()

    assert capsys.readouterr().out == (project / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
