"""A workspace written by an earlier version: everything in it works."""

import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from tasks.engine import scratch
from tasks.tracking import address, registry
from tests.support.paths import PROJECT

SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since Python 3.11.4
OLD = PROJECT / "tests" / "golden" / "workspace-9a83ac7.tar.xz"  # made by tests/support/old_workspace.py


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(OLD) as archive:
        archive.extractall(folder, **SAFELY)
    return folder / "workspace"


@pytest.fixture(autouse=True)
def own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the commands from choosing a temporary folder, which would last as long as the tests."""
    monkeypatch.setattr(scratch, "settle", lambda workspace: None)


def w2v(workspace: Path, *words: str) -> str:
    """Run a command on the workspace, and return what it prints."""
    done = CliRunner().invoke(app, [*words, "--workspace", str(workspace)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_runs_champions_and_decisions_are_known(workspace: Path) -> None:
    """Both versions are known, the decisions about them, and the champion with its run."""
    told = w2v(workspace, "history")

    assert re.search(r"1 +promoted +– .*there was no champion", told)
    assert re.search(r"2 +promoted +1 .*newer data", told)
    assert "champion    version 2" in told


def test_vectors_answer(workspace: Path) -> None:
    """The neighbours of a word belong to its own topic."""
    words = re.findall(r"(\w+) 0?1?\.\d\d", w2v(workspace, "neighbors", "seaa", "-k", "5"))

    assert len(words) == 5
    assert all(word.startswith("sea") for word in words)


def test_runs_are_compared(workspace: Path) -> None:
    """The two runs are compared on the sets that both have."""
    versions = registry.model(address.runs_of(workspace), "vectors").versions.values()
    told = w2v(workspace, "compare", *(version.run_id for version in versions))

    assert "similarity/pairs" in told


def test_decisions_are_made_and_taken_back(workspace: Path) -> None:
    """An earlier version is promoted again, and then rolled back."""
    promoted = w2v(workspace, "promote", "1", "--because", "it was better")
    restored = w2v(workspace, "rollback")

    assert "version 1 is champion, after version 2: it was better" in promoted
    assert "version 2 is champion again" in restored


def test_a_run_is_what_it_was(workspace: Path) -> None:
    """Every file, figure and output of the store matches the certificate that the earlier version wrote."""
    assert "✗" not in w2v(workspace, "verify", "champion")
