"""A stage: a function whose output the store keeps, and which is a Prefect task at the same time.

    @stage("tokenization")
    def tokenization(documents: Dataset, config: Tokenization, draft: Draft, context: Context) -> Account: ...

The store's key is Prefect's cache key, refreshed whenever the output is missing or does not verify. So Prefect's
page shows a reused stage as cached, and never a result that is gone.
"""

import functools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from configs.schema import Runtime, Training
from tasks.datasets.files import digest_of
from tasks.engine import kernels, progress
from tasks.engine.allocator import give_back
from tasks.engine.code_digest import code_digest
from tasks.engine.leases import Uses
from tasks.engine.store import Account, Dataset, Draft, Record, Store

Reporter = Callable[[float, float, str], None]


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
    def __init__(self, name: str, work: Callable[..., Account], outside: Callable[[Any], Any], *, rounds: bool) -> None:
        self.name = name
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
            parts["kernels"] = kernels.kernels()
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
        kernels.check(context.runtime)
        inputs = self.inputs(**arguments)
        if done := self._look_up(context, digest_of(inputs)):
            return done
        with progress.reporting(self.label(arguments)) as report:
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
            progress.partly(self.name, new, len(made))
        return made

    def _make(self, inputs: dict[str, Any], arguments: dict[str, Any], context: Context, report: Reporter) -> Dataset:
        def work(draft: Draft) -> Account:
            return self._work(**arguments, context=context, draft=draft)

        return context.store.make(self.name, digest_of(inputs), inputs, work, report)

    def __call__(self, *, context: Context, **arguments: Any) -> Dataset:
        """The same as a Prefect task of the running flow."""
        from prefect import task

        from tasks.engine.retries import may_pass

        key = digest_of(self.inputs(**arguments))
        done = self._look_up(context, key)
        if done:
            progress.reused(self.label(arguments), done)
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


def stage(
    name: str, *, outside: Callable[[Any], Any] = lambda config: None, rounds: bool = False
) -> Callable[[Callable[..., Account]], Stage]:
    """Make a stage of a function, whose outputs lie under `name` in the store.

    `outside(config)` gives the digests of what it reads that no stage wrote. `rounds` says that it sums floating-point
    numbers up, in an order that is the CPU's.
    """
    return lambda work: Stage(name, work, outside, rounds=rounds)


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
