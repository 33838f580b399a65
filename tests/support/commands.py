"""`w2v` in this process: what it prints and its exit code, without the seconds that another process takes to import."""

import io
import logging
import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from flows.cli import main
from tasks.engine import scratch
from tests.support.paths import PROJECT


class Answer(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def called(*words: str | Path, **environment: str) -> Answer:
    """Run the command as its program does, from argv to the exit code; undo what it sets for its process."""
    code, said, complained = 0, io.StringIO(), io.StringIO()
    stop, before, log = signal.getsignal(signal.SIGTERM), dict(os.environ), logging.getLogger("w2v")
    handlers, level = list(log.handlers), log.level
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(complained):
        patch.chdir(PROJECT)
        patch.setattr(sys, "argv", ["w2v", *map(str, words)])
        patch.setattr(scratch, "settle", lambda workspace: None)  # it would last as long as the tests
        os.environ.update(environment)
        try:
            main.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            os.environ.clear()
            os.environ.update(before)
            signal.signal(signal.SIGTERM, stop)
            log.handlers[:] = handlers
            log.setLevel(level)
    return Answer(code, said.getvalue(), complained.getvalue())
