"""A stage: a function whose output the store keeps, and which is also a Prefect task.

    @stage("tokenization")
    def tokenization(documents: Dataset, config: Tokenization, draft: Draft, context: Context) -> Account: ...

The store's key is Prefect's cache key, and the cache is refreshed if the output is missing or does not verify. So
Prefect's page shows a reused stage as cached, and never returns an output that has been deleted.
"""

import functools
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from configs.schema import Runtime, Training
from tasks.datasets.files import digest_of
from tasks.engine import kernels, progress
from tasks.engine.allocator import give_back
from tasks.engine.code_digest import code_digest
from tasks.engine.leases import Uses
from tasks.engine.store import Account, Dataset, Draft, FrozenModel, Store
from tasks.engine.workers import call
from tasks.engine.workers.call import Answer, Report
from tasks.engine.workers.engines import Call
from tasks.engine.workers.parts import Shares, arrived, run


class Context(FrozenModel):
    """The circumstances of a stage that cannot change its result, and so are in no key."""

    runtime: Runtime
    tracking_uri: str = ""  # empty where nothing is logged
    run_id: str = ""  # the MLflow run that a long stage reports to, and that leases the outputs it looks up
    pause_after: int = 0  # epochs after which a training raises Paused; 0 trains to the end

    @property
    def store(self) -> Store:
        """Return the store of the workspace."""
        return Store(Path(self.runtime.workspace) / "store", self.runtime.remote)

    @property
    def threads(self) -> int:
        """Return the number of threads: runtime.threads, or that of the CPU."""
        return self.runtime.threads or os.cpu_count() or 1


class Stage:
    """A function with a name in the store; call it in a flow, or `compute` without Prefect."""

    def __init__(self, name: str, work: Callable[..., Account], outside: Callable[[Any], Any], *, rounds: bool) -> None:
        self.name = name
        self.work = work
        self._outside = outside
        self._rounds = rounds
        self.place = f"{work.__module__}:{work.__name__}"  # where a worker finds it
        functools.update_wrapper(self, work)

    def inputs(self, **arguments: Any) -> dict[str, Any]:
        """Return all that the key is made of: digests of datasets, of outside files and of code; sections; numbers.

        A stage that sums floating-point numbers adds the CPU's kernels, since other kernels round to other bits.
        """
        parts = {name: _part(value) for name, value in arguments.items() if not isinstance(value, Context)}
        if self._rounds:
            parts["kernels"] = kernels.kernels()
        outside = self._outside(arguments.get("config"))
        code = code_digest(self.work.__module__)
        return {"stage": self.name, "work": self.work.__name__, "code": code, "outside": outside, **parts}

    def label(self, arguments: dict[str, Any]) -> str:
        """Return the name for people: `windows-003` for the fourth draw, the stage's own name where it runs once."""
        epoch = arguments.get("epoch", -1)
        return f"{self.name}-held-out" if epoch is None else f"{self.name}-{epoch:03d}" if epoch >= 0 else self.name

    def find(self, *, context: Context, **arguments: Any) -> Dataset | None:
        """Return the finished output for these arguments, None if the store has none that verifies."""
        return context.store.find(self.name, digest_of(self.inputs(**arguments)))

    def compute(self, *, context: Context, **arguments: Any) -> Dataset:
        """Return the output for these arguments, from the store or computed now. Needs no Prefect.

        Raises PipelineError if runtime.portable is set and the process has other kernels, and what the stage raises.
        """
        give_back()
        kernels.check(context.runtime)
        inputs = self.inputs(**arguments)
        if done := self._look_up(context, digest_of(inputs)):
            return done
        with progress.reporting(self.label(arguments)) as report:
            started = time.perf_counter()
            dataset = self.make(inputs, arguments, context, report)
            report.finish(dataset, time.perf_counter() - started)
        return dataset

    def parts(
        self, each: Iterable[dict[str, Any]], sizes: Sequence[float], draft: Draft, context: Context
    ) -> list[Dataset]:
        """Return the outputs for each of these arguments, to be parts of another stage's output.

        Parts that the store has are reused; the engine makes the others, several at once. `sizes` weigh the parts in
        the progress that is reported to `draft`.
        """
        keys: list[str] = []
        made: dict[str, Dataset] = {}
        missing: dict[str, int] = {}  # the number of the first part with that key: equal parts are made once
        calls: list[Call] = []
        for number, arguments in enumerate(each):
            inputs = self.inputs(**arguments)
            keys.append(key := digest_of(inputs))
            if key in made or key in missing:
                continue
            if found := self._look_up(context, key, part=True):
                made[key] = found
            else:
                missing[key] = number
                calls.append(self._call(inputs, arguments, context, f"part {number + 1} of {len(sizes)}"))
        report = Shares(sizes, list(missing.values()), draft.report)
        for key, answer in zip(missing, run(calls, context.runtime, report), strict=True):
            place = context.store.root / self.name / key
            made[key] = arrived(context.store.find(self.name, key), answer, place)
        if 0 < len(missing) < len(made):
            progress.partly(self.name, len(missing), len(made))
        return [made[key] for key in keys]

    def _call(self, inputs: dict[str, Any], arguments: dict[str, Any], context: Context, which: str) -> Call:
        def make(report: Report, threads: int) -> Answer:
            own = context.model_copy(update={"runtime": with_threads(threads or context.threads)})
            return Answer(self.make(inputs, arguments, own, report).digest, socket.gethostname())

        def text(threads: int) -> str:
            return call.text_of(self.place, inputs, arguments, with_threads(threads))

        def with_threads(threads: int) -> Runtime:
            return context.runtime.model_copy(update={"threads": threads})

        return Call(f"{self.name}, {which}", make, text)

    def make(self, inputs: dict[str, Any], arguments: dict[str, Any], context: Context, report: Report) -> Dataset:
        """Make the output whose key is made of `inputs`, unless another process has just made it."""

        def work(draft: Draft) -> Account:
            for output in _outputs(arguments.values()):
                output.fetch()
            return self.work(**arguments, context=context, draft=draft)

        return context.store.make(self.name, digest_of(inputs), inputs, work, report)

    def __call__(self, *, context: Context, **arguments: Any) -> Dataset:
        """Do the same as `compute`, as a Prefect task of the running flow."""
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
        return done or dataset  # Prefect's record has the path that the store had then, `done` the path it has now

    def _look_up(self, context: Context, key: str, *, part: bool = False) -> Dataset | None:
        """Return the finished output or None, after leasing it to the context's run, and put it into the remote.

        There the lease of an output protects its parts. So a part is leased only while it may have none.
        """
        store = context.store
        if not context.run_id:
            return store.find(self.name, key)
        remote = "" if part and store.shared(self.name, key) else store.remote
        Uses(store.root.parent, remote).note(context.run_id, self.name, key)
        found = store.find(self.name, key)
        if found:
            store.share(found)
        return found


def stage(
    name: str, *, outside: Callable[[Any], Any] = lambda config: None, rounds: bool = False
) -> Callable[[Callable[..., Account]], Stage]:
    """Return a decorator that makes a function a stage, with its outputs under `name` in the store.

    `outside(config)` returns the digests of the files that it reads and that no stage wrote. `rounds` declares that it
    sums floating-point numbers in an order that depends on the CPU.
    """
    return lambda work: Stage(name, work, outside, rounds=rounds)


def _outputs(values: Iterable[Any]) -> Iterator[Dataset]:
    """Yield the datasets among these arguments, and those in lists."""
    for value in values:
        if isinstance(value, Dataset):
            yield value
        elif isinstance(value, list | tuple):
            yield from _outputs(value)


def _part(value: Any) -> Any:
    if isinstance(value, Dataset):
        return value.digest
    if isinstance(value, Training):
        return value.model_dump(mode="json") | {"warm_start": None}  # `outside` has the digest of that file
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_part(item) for item in value]
    return value
