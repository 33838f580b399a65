"""Terminals and none: colours, plain text, and completion in the shells that are here."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

# what every command prints with: a styled line, and the progress of a stage
SPEAK = """
from flows.cli.output.tables import console, say
from flows.servers.settings import quiet
from tasks.engine import progress

quiet()
progress.LINE_SECONDS = -1.0
say(console, ("a warning " * 20, "bold yellow"))
with progress.reporting("training") as report:
    report(1, 2, "half")
"""
COLOR = re.compile(r"\x1b\[[\d;]*\b(?:3[0-8]|9[0-7]|4[0-8])[\d;]*m")


def spoken(**environment: str) -> str:
    """Return what a process writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    plain = {name: word for name, word in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    about = plain | {"TERM": "xterm-256color"} | environment
    process = subprocess.Popen([sys.executable, "-c", SPEAK], cwd=PROJECT, env=about, stdout=theirs, stderr=theirs)
    os.close(theirs)
    return read(ours, process)


def read(terminal: int, process: "subprocess.Popen[bytes]", wanted: str = "") -> str:
    """Read until the process ends, or has written what is wanted."""
    said, deadline = b"", time.monotonic() + 120
    while time.monotonic() < deadline and not (wanted and wanted in said.decode(errors="replace")):
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                said += os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
    if not wanted:
        assert process.wait(60) == 0, said
        os.close(terminal)
    return said.decode(errors="replace")


def test_a_terminal_gets_colours_unless_it_says_no() -> None:
    """NO_COLOR leaves bold text and the bar; a dumb terminal gets no escape at all."""
    coloured, plain, dumb = spoken(), spoken(NO_COLOR="1"), spoken(TERM="dumb")

    assert COLOR.search(coloured)
    assert "50%" in coloured
    assert not COLOR.search(plain)
    assert "50%" in plain
    assert "\x1b" not in dumb
    assert "a warning" in dumb


def test_a_file_gets_lines() -> None:
    """Without a terminal there is no escape, no bar and no wrapping: a line is a line."""
    done = subprocess.run([sys.executable, "-c", SPEAK], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout == "a warning " * 20 + "\n"
    assert done.stderr.split() == ["training", "50%", "half"]


SHELLS = {shell: shutil.which(shell) for shell in ("zsh", "fish")}
HERE = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.skipif(SHELLS["zsh"] is None, reason="zsh is not on this machine")
def test_zsh_completes_at_a_tab(tmp_path: Path) -> None:
    """In a real zsh: a command and a key, whose meaning has quotes and brackets, are completed."""
    ours, theirs = pty.openpty()
    about = {"PATH": HERE, "TERM": "dumb", "HOME": str(tmp_path), "PS1": "> "}
    zsh = subprocess.Popen([str(SHELLS["zsh"]), "-f", "-i"], env=about, stdin=theirs, stdout=theirs, stderr=theirs,
                           start_new_session=True)  # fmt: skip
    os.close(theirs)
    try:
        os.write(ours, b'autoload -Uz compinit; compinit -u -D; eval "$(_W2V_COMPLETE=source_zsh w2v)"; echo rea""dy\n')
        assert "ready" in read(ours, zsh, "ready\r\n")
        for typed, found in {"w2v nei": "neighbors", "w2v retrain --set training.learning_r": "ate="}.items():
            os.write(ours, f"\x15{typed}\t".encode())
            assert found in read(ours, zsh, found)
    finally:
        zsh.kill()
        zsh.wait()
        os.close(ours)


@pytest.mark.skipif(SHELLS["fish"] is None, reason="fish is not on this machine")
@pytest.mark.parametrize(
    ("typed", "found"), [("w2v nei", "neighbors"), ("w2v retrain --set training.learning_r", "training.learning_rate=")]
)
def test_fish_completes(typed: str, found: str, tmp_path: Path) -> None:
    """What fish offers for the last word is the word, with its meaning."""
    script = f"_W2V_COMPLETE=source_fish w2v | source; complete --do-complete '{typed}'"
    about = {"PATH": HERE, "HOME": str(tmp_path), "TERM": "dumb"}
    done = subprocess.run([str(SHELLS["fish"]), "--no-config", "-c", script], env=about, capture_output=True, text=True)
    word, _, meaning = done.stdout.partition("\t")

    assert word == found, done.stderr
    assert meaning.strip()
