"""The working directory: entered only after all our modules are imported, and never on the import path."""

import os
import re
from pathlib import Path

import pytest
import yaml

from flows.deployment import deploy, directory
from tests.support.paths import PROJECT


def test_the_directory_is_entered_where_one_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step records the directory, `enter` changes to it; without a record nothing happens."""
    here = Path.cwd()
    monkeypatch.chdir(here)  # and back, in the end
    monkeypatch.setenv(directory.VARIABLE, "")
    directory.enter()

    assert Path.cwd() == here

    chosen = directory.choose(str(tmp_path))
    assert (chosen, Path.cwd()) == ({}, here)

    directory.enter()
    assert Path.cwd() == tmp_path
    assert os.environ[directory.VARIABLE] == str(tmp_path)


def test_every_deployed_flow_enters_it() -> None:
    """prefect.yaml has no step that puts the directory on the path, and each module of its flows goes there itself."""
    described = yaml.safe_load(deploy.DESCRIBED.read_text())
    modules = {each["entrypoint"].rpartition(".")[0] for each in described["deployments"]}
    sources = {name: (PROJECT / f"{name.replace('.', '/')}.py").read_text() for name in modules}

    assert [list(step) for step in described["pull"]] == [["flows.deployment.directory.choose"]]
    assert [name for name, source in sources.items() if "\ndirectory.enter()" not in source] == []


def test_no_child_looks_for_modules_in_the_working_directory() -> None:
    """Python is started with `-P`: by MODULE of tasks/engine/environment.py."""
    found = [
        path.name
        for package in ("flows", "tasks")
        for path in (PROJECT / package).rglob("*.py")
        if re.search(r'sys\.executable, "-[mc]', path.read_text())
    ]

    assert found == []
