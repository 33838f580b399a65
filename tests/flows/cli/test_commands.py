"""Promises of all commands, from typer's own list of them."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from configs.workspaces import VARIABLE
from flows.cli.main import app

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def words_of(name: str) -> list[str]:
    """Return the shortest valid arguments of a command."""
    values = {"from": "2026-01-01", "to": "2026-01-02", "grid": "seed=1,2", "manager": "systemd", "what": "show"}
    words = [name]
    for parameter in COMMANDS[name].params:
        if parameter.required:
            option = parameter.opts[0] if parameter.param_type_name == "option" else ""
            words += [*([option] if option else []), values.get(option.strip("-") or str(parameter.name), "abcdef")]
    return words + (["fedcba"] if name == "compare" else [])


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_takes_a_workspace(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--workspace and W2V_WORKSPACE work everywhere; two different workspaces are refused before anything is done."""
    (option,) = (each for each in COMMANDS[name].params if each.name == "workspace")
    monkeypatch.chdir(tmp_path)
    words = words_of(name)
    wrong = CliRunner().invoke(app, [*words, "--workspace", "~nosuchuser/ws"])

    assert (option.opts, option.envvar) == (["--workspace"], VARIABLE)
    assert "no such user" in wrong.output
    assert wrong.exit_code == 2
    if "config" in {each.name for each in COMMANDS[name].params}:
        for about in ({}, {VARIABLE: "c"}):
            both = CliRunner().invoke(app, [*words, "--set", "runtime.workspace=a", "--workspace", "b"], env=about)
            assert "two workspaces are asked for" in str(both.exception)
        of_environment = CliRunner().invoke(app, words, env={VARIABLE: "x/" * 300})
        assert "too long for SQLite" in str(of_environment.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", sorted(name for name in COMMANDS if "settings" in {each.name for each in COMMANDS[name].params})
)
def test_every_command_refuses_a_key_set_twice(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either value may be meant; before anything is done."""
    monkeypatch.chdir(tmp_path)
    twice = CliRunner().invoke(app, [*words_of(name), "--set", "seed=1", "--set", "seed=2"])

    assert "each key once\nfound     seed twice" in str(twice.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", *sorted(COMMANDS)])
def test_no_line_of_help_is_cut(name: str) -> None:
    """At 80 columns, each sentence is whole; every command stands in a group."""
    said = CliRunner().invoke(app, [*([name] if name else []), "--help"], env={"COLUMNS": "80"}).output

    assert not re.search(r"[a-z]\.\.\.$", said, re.MULTILINE)
    assert max(map(len, said.splitlines())) <= 80
    if not name:
        assert all(f"\n  {each} " in said for each in COMMANDS)
