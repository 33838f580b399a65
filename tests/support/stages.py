"""Stages for tests of the engines, in a module that workers can import."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pyarrow

from configs.schema import Vocabulary
from tasks.engine.outputs import remote
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Draft, joined
from tasks.errors import InputError, RemoteError


@stage("demo")
def demo(numbers: list[int], config: Vocabulary, draft: Draft, context: Context) -> Account:
    """Square each number, in parts."""
    each = ({"number": number, "config": config} for number in numbers)
    draft.parts = square.parts(each, [1] * len(numbers), draft, context)
    return joined(draft.parts)


@stage("demo")
def square(number: int, config: Vocabulary, draft: Draft, context: Context) -> Account:
    """Do what the environment asks for some numbers, and square the others."""
    for what, value in os.environ.items():
        if what.startswith("DEMO_") and value == str(number):
            _misbehave(what, Path(context.runtime.workspace))
    draft.file("square.txt").write_text(str(number**2))
    draft.report(1, 1, "squared")
    return Account(unit="numbers", read=1, written=1)


@stage("rounding", rounds=True)
def rounding(number: int, draft: Draft, context: Context) -> Account:
    """Stand for work whose bits depend on the kernels."""
    draft.file("number.txt").write_text(str(number))
    return Account(unit="numbers", read=1, written=1)


@stage("rounding")
def roundings(numbers: list[int], draft: Draft, context: Context) -> Account:
    draft.parts = rounding.parts([{"number": number} for number in numbers], [1] * len(numbers), draft, context)
    return joined(draft.parts)


def loaded(name: str) -> str:
    """Return true, as JSON, if a worker has loaded a module after it has made an array."""
    pyarrow.array(["word"])
    return json.dumps(name in sys.modules)


def without_remote(text: str) -> str:
    """Return the text though the remote fails."""
    with remote.going_on():
        raise RemoteError("the remote is away")
    return text


def _misbehave(what: str, workspace: Path) -> None:
    if what == "DEMO_DIES" or (what == "DEMO_DIES_ONCE" and not (workspace / "died").exists()):
        (workspace / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "DEMO_REFUSES":
        raise InputError("this number\nexpected  another")
    if what == "DEMO_FAULT":
        raise ZeroDivisionError("a fault of ours")
    if what == "DEMO_SLEEPS":
        time.sleep(60)
