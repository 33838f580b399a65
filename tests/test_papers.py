"""The papers beside the code say what is so."""

import re
import tomllib

import yaml

from tests.support.paths import PROJECT

ABOUT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def test_the_licence_is_the_one_that_is_named() -> None:
    """Its text, the metadata of both distributions and the citation agree."""
    core = tomllib.loads(read("w2v_core/pyproject.toml"))["project"]
    licence = read("LICENSE")

    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert ABOUT["license"] == core["license"] == yaml.safe_load(read("CITATION.cff"))["license"] == "Apache-2.0"


def test_the_citation_is_of_this_version() -> None:
    """It has the keys that CFF 1.2 requires, and the version of both distributions."""
    citation = yaml.safe_load(read("CITATION.cff"))
    core = tomllib.loads(read("w2v_core/pyproject.toml"))["project"]

    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert str(citation["version"]) == ABOUT["version"] == core["version"]
    assert all(set(author) == {"name"} for author in citation["authors"])


def test_each_release_says_what_an_upgrade_costs() -> None:
    """Every section of the changelog has our two headings, and the current version has a section."""
    before, *releases = re.split(r"^## ", read("CHANGELOG.md"), flags=re.MULTILINE)

    assert "**Recomputes**" in before
    assert all("### Recomputes\n\n- " in release and "### Bits\n\n- " in release for release in releases)
    assert any(release.startswith(ABOUT["version"]) for release in releases)


def test_the_hooks_are_programs_of_the_environment() -> None:
    """Those of pre-commit are local, and run what `make test` runs."""
    repositories = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    programs = {hook["entry"].split()[0] for repository in repositories for hook in repository["hooks"]}

    assert [repository["repo"] for repository in repositories] == ["local"]
    assert programs == {f".venv/bin/{name}" for name in ("ruff", "mypy", "lint-imports")}
    assert all(program.replace(".venv", "$(BIN)", 1).replace("/bin", "", 1) in read("Makefile") for program in programs)


def test_the_papers_name_files_that_exist() -> None:
    """Each path in code type of the guides is there."""
    rooms = "flows|tasks|w2v_core|configs|tests|docs|benchmarks"
    pages = [str(page.relative_to(PROJECT)) for page in (PROJECT / "docs").rglob("*.md")]
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "w2v_core/README.md", *pages):
        paths = re.findall(rf"`((?:{rooms})/[\w/.-]*)`", read(name))

        assert not [path for path in paths if not (PROJECT / path).exists()], name


def test_the_core_needs_what_the_application_allows() -> None:
    """Its dependencies are written as in the application."""
    core = tomllib.loads(read("w2v_core/pyproject.toml"))["project"]

    assert set(core["dependencies"]) <= set(ABOUT["dependencies"])
