"""Where the workspace's folder comes from, and which names are refused."""

from pathlib import Path

import pytest

from configs.loading import ConfigError, load
from configs.workspaces import KEY, VARIABLE, default, folder, placed


def said(settings: list[str], asked: str | None = None) -> str:
    settings = placed(["ingestion.source=x", *settings], Path(asked) if asked else None)
    return load(None, settings).runtime.workspace


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """--workspace and --set outrank the environment, that the config, that the default `workspace`."""
    assert said([]) == str(default()) == "workspace"
    monkeypatch.setenv(VARIABLE, "of the environment")

    assert said([]) == str(default()) == "of the environment"
    assert said([f"{KEY}=set"]) == "set"
    assert said([], "asked") == said([f"{KEY}=./asked"], "asked") == "asked"


def test_two_that_differ_are_refused() -> None:
    """Two different workspaces are an error, not a guess."""
    with pytest.raises(ConfigError, match=r"two workspaces are asked for\nfound     --workspace b and --set runtime"):
        placed([f"{KEY}=a"], Path("b"))
    with pytest.raises(ConfigError, match="two workspaces are asked for"):
        placed([f"{KEY}=b", f"{KEY}=a"], Path("b"))  # the last one counts
    assert said([f"{KEY}=a", f"{KEY}={Path('b').absolute()}"], "b") == "b"


@pytest.mark.parametrize("name", ["123", "true", 'a"b\\c', "a = b", "ü #1", "[x]", "-x"])
def test_any_name_arrives(name: str) -> None:
    """No name is read as TOML."""
    assert said([], name) == name


def test_a_home_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is resolved in the environment, a setting and a config; an unknown user is an error."""
    monkeypatch.setenv("HOME", "/my/own")

    assert said([f"{KEY}=~/ws"]) == said([], "~/ws") == "/my/own/ws"
    with pytest.raises(ConfigError, match="no such user"):
        said([f"{KEY}=~nosuchuser/ws"])
    monkeypatch.setenv(VARIABLE, "~nosuchuser/ws")
    with pytest.raises(ConfigError, match=r"W2V_WORKSPACE: .*no such user"):
        said([])


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    """A file is refused before anything else happens."""
    (tmp_path / "reviews.csv").touch()

    with pytest.raises(ValueError, match="is a file\nexpected  a folder for the workspace"):
        folder(tmp_path / "reviews.csv")
    for empty in ("", " "):
        with pytest.raises(ValueError, match="the workspace is empty"):
            folder(empty)


def test_a_folder_above_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`..` is resolved through links; other paths stay as typed."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    monkeypatch.chdir(tmp_path / "a")

    assert said([f"{KEY}=../ws"]) == said([], "b/../../ws") == str(tmp_path / "ws")
    assert said([f"{KEY}={tmp_path}/link/../ws"]) == str(tmp_path / "a" / "ws")
    assert said([f"{KEY}={tmp_path}/link"]) == f"{tmp_path}/link"
    monkeypatch.setenv(VARIABLE, "../..ws")
    assert said([]) == str(default()) == str(tmp_path / "..ws")
