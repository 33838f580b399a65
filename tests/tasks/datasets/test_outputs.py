"""Writing files that a user names loses nothing and leaves nothing incomplete."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.loading import ConfigError
from tasks.datasets import outputs
from tasks.errors import InputError, StoreError


def write(beside: Path) -> list[Path]:
    """Write a pair of files, as npy is."""
    beside.write_text("new")
    beside.with_name(beside.name + ".words").write_text("new words")
    return [beside, beside.with_name(beside.name + ".words")]


def loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop" / "x"


@pytest.mark.parametrize(
    ("named", "found"),
    [
        (lambda folder: folder, "a folder"),
        (lambda folder: Path(), "a folder"),
        (lambda folder: Path("/dev/full"), "a device or pipe"),
        (lambda folder: folder / "no" / "v.txt", "no folder "),
        (lambda folder: folder / ("x" * 5_000), "File name too long"),
        (lambda folder: folder / ("é" * 200), "File name too long"),
        (loop, "Too many levels of symbolic links|no folder"),
        (lambda folder: folder / "a\0b", "null"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_can_be_no_file_is_told(named: Callable[[Path], Path], found: str, force: bool, tmp_path: Path) -> None:
    """An impossible name is refused before any work, with the option and the reason, also with --force."""
    with pytest.raises(ConfigError, match=rf"(?s)^--output .*cannot be written.*found .*({found}).*\nName another"):
        outputs.check([named(tmp_path)], "--output", force=force)


def test_what_is_there_stays(tmp_path: Path) -> None:
    """An existing file is replaced only with --force or if it is ours; a dangling link counts as existing."""
    (tmp_path / "v.txt").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("v.txt", "dangling"):
        with pytest.raises(ConfigError, match=r"(?s)expected  the name of a new file.*or add --force"):
            outputs.check([tmp_path / "free", tmp_path / name], "export")
    outputs.check([tmp_path / "v.txt"], "export", force=True)
    outputs.check([tmp_path / "v.txt"], "export", ours="min")

    with pytest.raises(ConfigError, match=r"(?s)an existing file\nName another\.$"):
        outputs.check([tmp_path / "v.txt"], "--output", ours="# ours")


def test_a_folder_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without permission is refused; the check is mocked, since root may write everywhere."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match="no permission to write to"):
        outputs.check([tmp_path / "v.txt"], "export")


def test_files_appear_together(tmp_path: Path) -> None:
    """Both files appear, or none, with default permissions and no leftovers."""
    files = [tmp_path / "v1.0", tmp_path / "v1.0.words"]
    outputs.place(files, write)
    (tmp_path / "plain").write_text("")

    assert [file.read_text() for file in files] == ["new", "new words"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {
        stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    }
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("error", [InputError("a word"), OSError(28, "No space left on device")])
def test_what_fails_changes_nothing(error: Exception, tmp_path: Path) -> None:
    """If writing fails, existing files stay and no part of the new ones is left."""
    files = [tmp_path / "v", tmp_path / "v.words"]
    for file in files:
        file.write_text("old")

    def stumble(beside: Path) -> list[Path]:
        write(beside)
        raise error

    with pytest.raises((InputError, StoreError), match=r"a word|cannot be written\n.*\n.*No space left"):
        outputs.place(files, stumble)

    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"v": "old", "v.words": "old"}


def test_an_old_file_never_stands_beside_new_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a kill at any instant, the first file exists only with its own second file."""
    files = [tmp_path / "v", tmp_path / "v.words"]
    for file in files:
        file.write_text("old")
    seen = []
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        seen.append([file.read_text() for file in files if file.exists()])
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    outputs.place(files, write)

    assert seen == [["old"], ["new words"]]


def fill(text: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).write_text(text) for name in ("a", "b")] and None


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_folder_appears_whole_and_replaces_the_former(tmp_path: Path) -> None:
    """The files are those that were written last, and nothing is left beside the folder."""
    for text in ("old", "new"):
        outputs.place_folder(tmp_path / "v", fill(text))

    assert contents(tmp_path) == {"v/a": "new", "v/b": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


@pytest.mark.parametrize("when", ["written", "renamed"])
def test_a_folder_that_fails_leaves_the_former(when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, while the files are written or when the folder is renamed, leaves the folder that was there."""
    outputs.place_folder(tmp_path / "v", fill("old"))
    replace = os.replace

    def stumble(source: Path, target: Path) -> None:
        if target.name == "v" and (source / "a").read_text() == "new":
            raise OSError(28, "No space left on device")
        replace(source, target)

    def write(folder: Path) -> None:
        fill("new")(folder)
        if when == "written":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", stumble)
    with pytest.raises(StoreError, match="cannot be written"):
        outputs.place_folder(tmp_path / "v", write)

    assert contents(tmp_path) == {"v/a": "old", "v/b": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


def test_a_folder_of_others_is_never_replaced(tmp_path: Path) -> None:
    """--force replaces only a folder that holds nothing but files of an export; an empty one needs no --force."""
    (tmp_path / "empty").mkdir()
    outputs.place_folder(tmp_path / "ours", fill("x"))
    outputs.place_folder(tmp_path / "theirs", fill("x"))
    (tmp_path / "theirs" / "thesis.txt").write_text("mine")
    (tmp_path / "nested" / "a").mkdir(parents=True)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "ours")
    names = ("a", "b")
    outputs.check_folder(tmp_path / "empty", "export", names)
    outputs.check_folder(tmp_path / "new", "export", names)
    outputs.check_folder(tmp_path / "ours", "export", names, force=True)

    with pytest.raises(ConfigError, match=r"(?s)the name of a new folder\nfound     an existing folder\n.*--force"):
        outputs.check_folder(tmp_path / "ours", "export", names)
    for name, found in {
        "theirs": "a folder with other files: thesis.txt", "nested": "a folder with other files: a",
        "file": "an existing file", "link": "a link", "no/v": "no folder", "a\0b": "a null character",
    }.items():  # fmt: skip
        with pytest.raises(ConfigError, match=rf"(?s)found     {found}.*\nName another\.$"):
            outputs.check_folder(tmp_path / name, "export", names, force=True)
