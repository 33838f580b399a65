"""A worker process: reads calls from its standard input, a line each, and answers on its standard output.

It ends at once when its input is closed, which also happens if the command that started it is killed. Whatever a
library prints goes to the standard error.
"""

import json
import os
import sys
import threading
import time
from queue import SimpleQueue
from typing import IO

import pyarrow

from tasks.engine.outputs import remote
from tasks.engine.workers import call

TOLD = 0.2  # seconds between two messages about the progress of a call


def main() -> None:
    """Run calls until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    _without_pandas()
    remote.leave_telling()
    calls: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=[calls], daemon=True).start()
    while True:
        _say(answers, "answer", call.run(json.loads(calls.get()), _Telling(answers)))


class _Hidden:
    """An importer that finds no pandas."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _without_pandas() -> None:
    """Let pyarrow's first array, which looks for pandas, not find it: to load it takes 0.2 s, and no part needs it."""
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    pyarrow.array([0])
    sys.meta_path.remove(hidden)


class _Telling:
    """Reports the progress of a call, at most every TOLD seconds."""

    def __init__(self, answers: IO[str]) -> None:
        self._answers, self._told = answers, 0.0

    def __call__(self, done: float, total: float, text: str) -> None:
        if time.monotonic() - self._told > TOLD:
            self._told = time.monotonic()
            _say(self._answers, "progress", [done, total, text])


def _say(answers: IO[str], kind: str, what: object) -> None:
    try:
        print(json.dumps([kind, what]), file=answers, flush=True)
    except BrokenPipeError:
        os._exit(1)


def _listen(calls: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        calls.put(line)
    os._exit(0)  # the command has ended: whatever this worker is doing, nobody waits for it


if __name__ == "__main__":
    main()
