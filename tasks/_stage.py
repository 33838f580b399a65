"""A stage: a function whose output the store keeps, and which is a Prefect task at the same time.

    @stage
    def tokenization(documents: Dataset, config: Tokenization, draft: Draft, context: Context) -> Account: ...

The store's key is Prefect's cache key, refreshed whenever the output is missing or does not verify. So Prefect's
page shows a reused stage as cached, and never a result that is gone.
"""

import ast
import functools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, overload

from pydantic import BaseModel

from configs.schema import Runtime, Training
from tasks import _arithmetic, _progress
from tasks._files import digest_of
from tasks._memory import give_back
from tasks._store import Account, Dataset, Draft, Record, Store
from tasks._uses import Uses

Reporter = Callable[[float, float, str], None]
OWN_PACKAGES = ("tasks", "w2v_core")
# moves data and tells of it, but never changes it
MACHINERY = {
    f"tasks.{name}"
    for name in (
        "_arithmetic",
        "_checkpoints",
        "_courier",
        "_environment",
        "_errors",
        "_interrupts",
        "_live",
        "_memory",
        "_parallel",
        "_progress",
        "_retries",
        "_runs",
        "_scratch",
        "_stage",
        "_store",
        "_unfinished",
        "_uses",
    )
}


class Context(Record):
    """What cannot change a result, and so is no part of any key."""

    runtime: Runtime
    tracking_uri: str = ""  # none where nobody is told
    run_id: str = ""  # the MLflow run that a long stage reports to while it works, and that uses what it looks for
    pause_after: int = 0  # epochs, after which a training raises Paused; 0 goes to the end

    @property
    def store(self) -> Store:
        return Store(Path(self.runtime.workspace) / "store")

    @property
    def threads(self) -> int:
        return self.runtime.threads or os.cpu_count() or 1


class Stage:
    def __init__(self, work: Callable[..., Account], outside: Callable[[Any], Any], *, rounds: bool) -> None:
        self.name = work.__module__.rpartition(".")[2]
        self._work = work
        self._outside = outside
        self._rounds = rounds
        functools.update_wrapper(self, work)

    def inputs(self, **arguments: Any) -> dict[str, Any]:
        """What the key is made of: digests of datasets, of files outside the store, and of code; sections; numbers.

        And, where sums are rounded, the kernels that round them: those of another CPU give other bits.
        """
        parts = {name: _part(value) for name, value in arguments.items() if not isinstance(value, Context)}
        if self._rounds:
            parts["kernels"] = _arithmetic.kernels()
        outside = self._outside(arguments.get("config"))
        code = code_digest(self._work.__module__)
        return {"stage": self.name, "work": self._work.__name__, "code": code, "outside": outside, **parts}

    def label(self, arguments: dict[str, Any]) -> str:
        """`windows-003` is the fourth draw; a stage that runs once goes by its own name."""
        epoch = arguments.get("epoch", -1)
        return f"{self.name}-held-out" if epoch is None else f"{self.name}-{epoch:03d}" if epoch >= 0 else self.name

    def find(self, *, context: Context, **arguments: Any) -> Dataset | None:
        """The finished output for these arguments, if the store has it."""
        return context.store.find(self.name, digest_of(self.inputs(**arguments)))

    def compute(self, *, context: Context, **arguments: Any) -> Dataset:
        """The output for these arguments, from the store or computed now; needs no Prefect."""
        give_back()
        _arithmetic.check(context.runtime)
        inputs = self.inputs(**arguments)
        if done := self._look_up(context, digest_of(inputs)):
            return done
        with _progress.reporting(self.label(arguments)) as report:
            started = time.perf_counter()
            dataset = self._make(inputs, arguments, context, report)
            report.finish(dataset, time.perf_counter() - started)
        return dataset

    def parts(
        self, each: Iterable[dict[str, Any]], sizes: Sequence[float], draft: Draft, context: Context
    ) -> list[Dataset]:
        """The outputs for each of these arguments, as parts of another stage's: only what is new takes its time."""
        made: list[Dataset] = []
        new = 0
        for number, arguments in enumerate(each):
            before, size = sum(sizes[:number]), sizes[number]
            which = f"part {number + 1} of {len(sizes)}: " if len(sizes) > 1 else ""

            def report(
                done: float, total: float, text: str, before: float = before, size: float = size, which: str = which
            ) -> None:
                draft.report(before + size * done / total, sum(sizes), which + text)

            inputs = self.inputs(**arguments)
            found = self._look_up(context, digest_of(inputs))
            made.append(found or self._make(inputs, arguments, context, report))
            new += found is None
        if 0 < new < len(made):
            _progress.partly(self.name, new, len(made))
        return made

    def _make(self, inputs: dict[str, Any], arguments: dict[str, Any], context: Context, report: Reporter) -> Dataset:
        def work(draft: Draft) -> Account:
            return self._work(**arguments, context=context, draft=draft)

        return context.store.make(self.name, digest_of(inputs), inputs, work, report)

    def __call__(self, *, context: Context, **arguments: Any) -> Dataset:
        """The same as a Prefect task of the running flow."""
        from prefect import task

        from tasks._retries import may_pass

        key = digest_of(self.inputs(**arguments))
        done = self._look_up(context, key)
        if done:
            _progress.reused(self.label(arguments), done)
        run = task(
            name=self.name,
            task_run_name=self.label(arguments),
            cache_key_fn=lambda *_: f"{self.name}-{key}",
            result_storage=context.store.root.parent / "prefect-results",
            result_serializer="json",
            refresh_cache=done is None,
            retry_condition_fn=may_pass,
        )(self.compute)
        dataset: Dataset = run(context=context, **arguments)
        return done or dataset  # Prefect's record names where the store was then, `done` where it is now

    def _look_up(self, context: Context, key: str) -> Dataset | None:
        """The finished output, which from now on is in use by the context's run, made or not."""
        if context.run_id:
            Uses(context.store.root.parent).note(context.run_id, self.name, key)
        return context.store.find(self.name, key)


@overload
def stage(work: Callable[..., Account]) -> Stage: ...
@overload
def stage(*, outside: Callable[[Any], Any], rounds: bool = False) -> Callable[[Callable[..., Account]], Stage]: ...
def stage(
    work: Callable[..., Account] | None = None,
    *,
    outside: Callable[[Any], Any] = lambda config: None,
    rounds: bool = False,
) -> Any:
    """Make a stage of a function; `outside(config)` gives the digests of what it reads that no stage wrote.

    `rounds` says that it sums floating-point numbers up, in an order that is the CPU's.
    """
    if work is None:
        return functools.partial(stage, outside=outside, rounds=rounds)
    return Stage(work, outside, rounds=rounds)


@functools.cache
def code_digest(module: str) -> str:
    """Of the module's source and of all it imports from the core and its helpers, directly or not."""
    seen: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        spec = None if name in seen or name in MACHINERY else find_spec(name)
        if spec and spec.origin:
            seen[name] = Path(spec.origin).read_bytes()
            waiting += _own_imports(seen[name])
    return digest_of({name: blake2b(source, digest_size=16).hexdigest() for name, source in seen.items()})


def _own_imports(source: bytes) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from w2v_core import blocks` names a module, `from w2v_core.blocks import Blocks` what is in one
            names += [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] in OWN_PACKAGES and _is_module(name)]


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # a name inside a module that is no package
        return False


def _part(value: Any) -> Any:
    if isinstance(value, Dataset):
        return value.digest
    if isinstance(value, Training):
        return value.model_dump(mode="json") | {"warm_start": None}  # its digest is outside
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_part(item) for item in value]
    return value
