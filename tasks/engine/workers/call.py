"""A call: one part of a stage's output, as text that any worker can run.

What crosses to a worker is the name of the stage, the arguments with references for datasets, `[runtime]`, and what the
output's key is made of. The worker works that out again and refuses the call if it differs: then it has other code,
other kernels or other files. It answers with a reference, as the output itself goes through the store.
"""

import importlib
import json
import logging
import os
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from pydantic import BaseModel, TypeAdapter

from configs.schema import Runtime, Section
from tasks import errors
from tasks.datasets.files import digest_of
from tasks.engine import allocator, kernels
from tasks.engine.store import Dataset, Store
from tasks.errors import EngineError, PipelineError, StoreError

if TYPE_CHECKING:
    from tasks.engine.stage import Stage

WORKSPACE = "W2V_WORKSPACE"  # on another host, where its worker keeps its store
log = logging.getLogger("w2v")


class Answer(NamedTuple):
    """The content of an output that a worker made, and the worker's host."""

    digest: str
    host: str


Report = Callable[[float, float, str], None]  # called with (done, total, text)


def text_of(place: str, inputs: dict[str, Any], arguments: dict[str, Any], runtime: Runtime) -> str:
    """Return the call that makes the output of these inputs, by the stage `module:name`."""
    call = {"stage": place, "inputs": inputs, "arguments": _plain(arguments), "runtime": _plain(runtime)}
    return json.dumps({**call, "host": socket.gethostname()})


def of_function(function: Callable[[str], str], text: str) -> str:
    """Return the call of a module-level function of a text, whose answer has what it returns as its digest."""
    return json.dumps({"function": f"{function.__module__}:{function.__qualname__}", "text": text})


def run(text: str, report: Report = lambda done, total, text: None) -> str:
    """Make the output of a call on this worker, and return the answer: its digest or the error, and what was logged."""
    with _logged() as lines:
        answer = _answer(json.loads(text), report)
    return json.dumps({**answer, "host": socket.gethostname(), "pid": os.getpid(), "log": lines})


def answered(text: str) -> Answer:
    """Return what an answer says, after logging here what the worker has logged.

    Raises the error that the worker met: one of ours or of the system as it was there, any other as a Broken.
    """
    found = json.loads(text)
    for level, line in found["log"]:
        log.log(level, "%s", line)
    if "digest" in found:
        return Answer(found["digest"], found["host"])
    kind, said = found["error"], found["text"]
    if kind == "OSError":
        raise OSError(*found["system"])
    if kind == "Broken":
        raise Broken(f"{said}\non {found['host']}, process {found['pid']}")
    raise getattr(errors, kind)(said)


class Broken(Exception):
    """A call failed in a way that nobody foresaw; another worker may succeed. The message is its traceback."""


def _answer(call: dict[str, Any], report: Report) -> dict[str, Any]:
    try:
        if place := call.get("function"):
            module, _, name = place.partition(":")
            return {"digest": getattr(importlib.import_module(module), name)(call["text"])}
        return {"digest": _make(call, report).digest}
    except PipelineError as error:
        kind = type(error).__name__
        own = type(error).__init__ is PipelineError.__init__ and hasattr(errors, kind)
        return {"error": kind if own else "PipelineError", "text": str(error)}
    except OSError as error:
        return {"error": "OSError", "text": str(error), "system": [error.errno, error.strerror, error.filename]}
    except Exception:
        return {"error": "Broken", "text": traceback.format_exc().strip()}


def _make(call: dict[str, Any], report: Report) -> Dataset:
    from tasks.engine.stage import Context

    allocator.keep()
    runtime = Runtime.model_validate_json(json.dumps(call["runtime"]))
    if call["host"] != socket.gethostname() and (folder := os.environ.get(WORKSPACE)):
        runtime = runtime.model_copy(update={"workspace": folder})
    kernels.check(runtime)
    context = Context(runtime=runtime)
    module, _, name = call["stage"].partition(":")
    stage: Stage = getattr(importlib.import_module(module), name)
    arguments = {key: _placed(value, context.store) for key, value in _typed(stage, call["arguments"]).items()}
    inputs = json.loads(json.dumps(stage.inputs(**arguments)))
    if inputs != call["inputs"]:
        raise EngineError(_other(call, inputs))
    return context.store.find(stage.name, digest_of(inputs)) or stage.make(inputs, arguments, context, report)


def _other(call: dict[str, Any], inputs: dict[str, Any]) -> str:
    theirs, ours = call["inputs"], inputs
    differ = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
    expected, found = ("; ".join(f"{name} {_shown(side.get(name))}" for name in differ) for side in (theirs, ours))
    return (
        f"the worker on {socket.gethostname()} would compute another result of {call['stage']}\n"
        f"expected  {expected}, as on {call['host']}\nfound     {found}\n"
        "Give its environment the same release of w2v and, on another CPU, set runtime.portable=true for all."
    )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 200 else digest_of(value)


def _plain(value: Any) -> Any:
    """Return the value as JSON, with the fields that its class excludes: a key does not need them, a worker does."""
    if isinstance(value, BaseModel):
        return {name: _plain(each) for name, each in value}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _typed(stage: "Stage", arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments as the stage declares their types; sections as they are, since the command checked them."""
    hints = get_type_hints(stage.work)

    def typed(hint: Any, value: Any) -> Any:
        if isinstance(hint, type) and issubclass(hint, Section):
            return hint.model_construct(**value)
        return TypeAdapter(hint).validate_json(json.dumps(value))

    return {name: typed(hints[name], value) for name, value in arguments.items()}


def _placed(value: Any, store: Store) -> Any:
    """Return the value with each dataset where this worker's store has it. Raises StoreError if it has another one."""
    if isinstance(value, list):
        return [_placed(each, store) for each in value]
    if not isinstance(value, Dataset):
        return value
    found = store.find(value.stage, value.key)
    if found is None or found.digest != value.digest:
        raise StoreError(
            f"{store.root / value.stage / value.key} cannot be read on {socket.gethostname()}\n"
            f"expected  content {value.digest}\nfound     {found.digest if found else 'nothing whole'}\n"
            "A worker needs the workspace of the command, or a store that both share: set runtime.remote."
        )
    return found


@contextmanager
def _logged() -> Iterator[list[tuple[int, str]]]:
    """Collect what is logged within the block; only the command writes to the terminal."""
    lines: list[tuple[int, str]] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.levelno, record.getMessage()))

    collector, propagates = Collector(), log.propagate
    log.addHandler(collector)
    log.propagate = False
    log.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        log.removeHandler(collector)
        log.propagate = propagates
