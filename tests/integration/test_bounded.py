"""An input of a megabyte that pretends to be far more: the command ends in time, within memory, with a message."""

import gzip
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

GIGABYTE = 1 << 20  # kB


class Ended(NamedTuple):
    said: str
    code: int
    peak: int  # kB: of the command, or of a process that it has started
    seconds: float  # of all processors


def write_zip(folder: Path) -> str:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.txt", b"\n" * 60_000_000)
    return "a.zip"


def write_one_line(folder: Path) -> str:
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "' + b"x" * 90_000_000 + b'"}', 1))
    return "a.jsonl.gz"


def write_nested(folder: Path) -> str:
    (folder / "a.json.gz").write_bytes(gzip.compress(b'[{"text": [' + b"[]," * 30_000_000 + b"[]]}]", 1))
    return "a.json.gz"


def w2v(command: str, folder: Path, source: str) -> Ended:
    arguments: list[str | Path] = ["--set", f"ingestion.source={folder / source}", "--workspace", folder / "ws"]
    with open(folder / "said", "w+b") as said:
        words: list[str | Path] = [Path(sys.executable).parent / "w2v", command, *arguments]
        process = subprocess.Popen(words, stdout=said, stderr=said, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode()
    return Ended(text, process.returncode, usage.ru_maxrss, usage.ru_utime + usage.ru_stime)


@pytest.mark.long
@pytest.mark.parametrize("write", [write_zip, write_one_line, write_nested])
@pytest.mark.parametrize("command", ["plan", "retrain"])
def test_a_megabyte_takes_no_gigabyte(command: str, write: Callable[[Path], str], tmp_path: Path) -> None:
    """Each is refused with one message, before a server is started."""
    name = write(tmp_path)
    ended = w2v(command, tmp_path, name)

    assert (tmp_path / name).stat().st_size < 1_100_000
    assert ended.code == 1, ended.said
    assert "unpacks to far more" in ended.said or "is too l" in ended.said
    assert ended.peak < GIGABYTE
    assert ended.seconds < 60
