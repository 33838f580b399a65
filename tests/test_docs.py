"""The documentation: a site that builds without a warning and needs no network, and pages made of the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with warnings as errors: a link or an anchor that leads nowhere, a page that is in no menu."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=quiet)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_needs_no_network(site: Path) -> None:
    """No page asks another host for a script, a style, a font or a picture."""
    pages = list(site.rglob("*.html"))
    asked = re.compile(r'<(?:script|img|iframe)[^>]+src="https?:|<link(?![^>]+rel="canonical")[^>]+href="https?:')

    assert len(pages) > 30
    assert not [page.name for page in pages if asked.search(page.read_text(encoding="utf-8"))]


def test_the_site_can_be_searched(site: Path) -> None:
    """The index lies beside the pages."""
    assert "negative sampling" in (site / "search" / "search_index.json").read_text(encoding="utf-8").lower()


def test_the_reference_is_not_stale(tmp_path: Path) -> None:
    """`make reference` would change nothing."""
    subprocess.run([sys.executable, "-m", "docs.generate", tmp_path], cwd=PROJECT, check=True)
    made = sorted(tmp_path.iterdir())

    assert len(made) == 8
    for page in made:
        there = PROJECT / "docs" / "reference" / page.name
        assert page.read_text(encoding="utf-8") == there.read_text(encoding="utf-8"), f"{page.name}: make reference"


def test_the_readme_is_short_and_leads_somewhere() -> None:
    """150 lines at most, and each link leads to a file."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]

    assert len(text.splitlines()) <= 150
    assert len(links) > 20
    assert not [link for link in links if not link.startswith("http") and not (PROJECT / link).exists()]


def test_prose_wraps_at_120() -> None:
    """Lines of the docs that can be wrapped are; tables, code, links and addresses cannot."""
    long = []
    for page in PAGES:
        text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        long += [f"{page.name}: {line[:60]}" for line in text.splitlines() if len(line) > 120 and can_be_wrapped(line)]

    assert not long


def can_be_wrapped(line: str) -> bool:
    return not line.lstrip().startswith(("|", "!", "#", "<")) and not line.startswith("    ")
