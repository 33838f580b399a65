"""The engines: the same bits, accounts and messages, whoever computes, and whoever dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from configs.loading import ConfigError, check
from configs.schema import Runtime, Vocabulary
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.engine.workers import call, engines
from tasks.engine.workers.call import Answer
from tasks.engine.workers.choice import Choice, choice
from tasks.engine.workers.engines import Call
from tasks.engine.workers.parts import arrived
from tasks.engine.workers.processes import Processes
from tasks.errors import DeterminismError, EngineError, InputError
from tests.support.paths import PROJECT
from tests.support.stages import demo, loaded, roundings, without_remote

NUMBERS = list(range(9))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers import the stages of these tests."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))


@pytest.fixture(scope="module", autouse=True)
def none_left() -> Iterator[None]:
    yield
    engines.end_idle()


def on(folder: Path, engine: str, workers: int = 2, **settings: Any) -> Context:
    folder.mkdir(exist_ok=True)
    return Context(runtime=Runtime(workspace=str(folder), engine=engine, workers=workers, **settings))


def squares(context: Context, numbers: list[int] = NUMBERS) -> Dataset:
    return demo.compute(context=context, numbers=numbers, config=Vocabulary())


def test_engines_and_workers_change_no_bit(tmp_path: Path) -> None:
    """Threads and processes, one and three of them, make one digest and one account."""
    places = [("threads", 1), ("threads", 3), ("processes", 1), ("processes", 3)]
    made = [squares(on(tmp_path / f"{engine}{workers}", engine, workers)) for engine, workers in places]

    assert len({each.digest for each in made}) == 1
    assert [file.read_text() for file in made[-1].files(".txt")] == [str(number**2) for number in NUMBERS]
    assert len({each.manifest.account.model_dump_json() for each in made}) == 1


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_the_first_refusal_is_told_in_its_words(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever worker meets it: the error is of the same kind, with the same text, and finished parts are kept."""
    monkeypatch.setenv("DEMO_REFUSES", "4")
    engines.end_idle()  # workers have the environment of their start
    context = on(tmp_path, engine)

    with pytest.raises(InputError, match=r"^this number\nexpected  another$"):
        squares(context)
    monkeypatch.delenv("DEMO_REFUSES")
    before = time.time_ns()
    made = squares(context)
    assert (made.parts[0].path / "square.txt").stat().st_mtime_ns < before


def test_a_killed_worker_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its call runs again on another, and the log says so."""
    monkeypatch.setenv("DEMO_DIES_ONCE", "5")
    engines.end_idle()
    made = squares(on(tmp_path / "killed", "processes"))
    monkeypatch.delenv("DEMO_DIES_ONCE")

    assert made.digest == squares(on(tmp_path / "quiet", "threads")).digest
    assert "demo, part 6 of 9 runs again: worker process" in caplog.text


def test_three_deaths_end_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the part, how the worker ended, and a way out."""
    monkeypatch.setenv("DEMO_DIES", "3")
    engines.end_idle()

    with pytest.raises(
        EngineError, match=r"demo, part 4 of 9 failed 3 times(?s:.*)killed by signal 9(?s:.*)fewer workers"
    ):
        squares(on(tmp_path, "processes"))


def test_a_fault_is_told_with_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody foresaw comes back with the line that raised it and the host."""
    monkeypatch.setenv("DEMO_FAULT", "3")
    engines.end_idle()

    with pytest.raises(
        EngineError, match=r"part 4 of 9(?s:.*)_misbehave(?s:.*)ZeroDivisionError: a fault of ours\non "
    ):
        squares(on(tmp_path, "processes"))


def test_other_kernels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose BLAS adds in another order refuses work that rounds, and names both."""
    pytest.importorskip("scipy")
    from tasks.engine.kernels import kernels

    other = "Haswell" if "openblas Haswell" not in kernels()["blas"] else "SkylakeX"
    monkeypatch.setenv("OPENBLAS_CORETYPE", other)
    engines.end_idle()

    with pytest.raises(EngineError, match=rf"another result of .*rounding\nexpected  kernels .*\nfound     .*{other}"):
        roundings.compute(context=on(tmp_path, "processes"), numbers=[1, 2])


def test_other_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with another release refuses the call, and names both digests of the code."""
    other = tmp_path / "other"
    for package in ("tests/support", "tasks", "configs", "w2v_core"):
        subprocess.run(["mkdir", "-p", other / package], check=True)
        subprocess.run(["cp", "-r", f"{PROJECT / package}/.", other / package], check=True)
    changed = other / "tests" / "support" / "stages.py"
    changed.write_text(changed.read_text().replace("number**2", "number**3"))
    monkeypatch.setenv("PYTHONPATH", str(other))
    engines.end_idle()

    with pytest.raises(
        EngineError, match=r"another result of .*square\nexpected  code [0-9a-f]{32}, as on .*\nfound     code"
    ):
        squares(on(tmp_path / "ws", "processes"))


def test_ctrl_c_ends_at_once_and_leaves_no_process(tmp_path: Path) -> None:
    """Within ten seconds, while both workers are at work; SIGKILL leaves none either."""
    script = (
        "import sys; from configs.schema import Runtime, Vocabulary; from tasks.engine.stage import Context\n"
        "from tests.support.stages import demo\n"
        "runtime = Runtime(workspace=sys.argv[1], engine='processes', workers=2)\n"
        "print('begins', flush=True)\n"
        "demo.compute(context=Context(runtime=runtime), numbers=[1, 2, 3], config=Vocabulary())"
    )
    for number in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / number.name],  # what the first has made is not left to one call
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"DEMO_SLEEPS": "1"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert process.stdout
        process.stdout.readline()
        children = workers_of(process.pid)
        started = time.monotonic()
        process.send_signal(number)
        process.wait(10)
        process.stdout.close()
        _, alive = psutil.wait_procs(children, 10 - (time.monotonic() - started))

        assert children
        assert not alive


def workers_of(pid: int) -> list[psutil.Process]:
    """Return the workers of a process, once it has two."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = psutil.Process(pid).children()
        if len(found) == 2:
            time.sleep(2)  # until they are at work
            return found
        time.sleep(0.1)
    raise AssertionError("it never had two workers")


def test_idle_workers_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon after the last call no worker is left: a training needs their memory."""
    engines.end_idle()
    monkeypatch.setattr(engines, "IDLE", 0.5)
    squares(on(tmp_path, "processes"))
    children = [each for each in psutil.Process().children() if "tasks.engine.workers.child" in each.cmdline()]
    _, alive = psutil.wait_procs(children, 30)

    assert children
    assert not alive


def test_workers_that_were_used_since_wait_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait from the end of their last stage on, not of their first: to start them again takes a second each."""
    monkeypatch.setattr(engines, "IDLE", 1.0)
    used = []
    for _ in range(3):
        with engines.used(Choice("processes", 1), Runtime()) as engine:
            used.append(engine)
        time.sleep(0.6)
    engines.end_idle()

    assert used[0] is used[1] is used[2]


def test_a_worker_loads_no_pandas() -> None:
    """It costs each worker 0.2 s and 33 MB, and no part needs it."""
    with Processes(1) as workers:
        answers = [
            workers.submit(call.run, call.of_function(loaded, name), lambda *_: None).result()
            for name in ("pandas", "pyarrow")
        ]

    assert [call.answered(answer).digest for answer in answers] == ["false", "true"]


@pytest.mark.parametrize(("workers", "threads"), [(2, "4"), (16, "1")])
def test_workers_share_the_cores(workers: int, threads: str) -> None:
    """Eight cores are four threads each for two workers, and one for each of many."""
    with engines.used(Choice("processes", workers), Runtime(threads=8)) as engine:
        echo = Call("echo", NotImplemented, lambda threads: call.of_function(str, str(threads)))
        answer = engine.answer(engine.submit(echo, lambda *_: None))
    engines.end_idle()

    assert answer.digest == threads


def test_a_remote_that_fails_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """By the command, which uses it too, and not by each of its workers again."""
    told = call.of_function(without_remote, "done")
    with Processes(1) as workers:
        answers = [workers.submit(call.run, told, lambda *_: None).result(), call.run(told)]

    assert [call.answered(answer).digest for answer in answers] == ["done", "done"]
    assert caplog.text.count("the remote is away") == 1


def test_two_results_for_one_key_are_an_error(tmp_path: Path) -> None:
    """It names both digests and both hosts."""
    made = squares(on(tmp_path, "threads"))

    with pytest.raises(DeterminismError, match=rf"two results\nexpected  {made.digest}(?s:.*)made on elsewhere"):
        arrived(made, Answer("0" * 32, "elsewhere"), made.path)
    with pytest.raises(EngineError, match=r"is not here\n.*elsewhere has made\n(?s:.*)set runtime\.remote"):
        arrived(None, Answer("0" * 32, "elsewhere"), made.path)


@pytest.mark.parametrize(
    ("cores", "calls", "expected"),
    [(2, 100, "threads"), (8, 2, "threads"), (8, 100, "processes")],
)
def test_processes_where_they_pay(cores: int, calls: int, expected: str) -> None:
    """By default processes run where there are more than two cores and many parts."""
    assert choice(Runtime(threads=cores), calls) == Choice(expected, cores)
    assert choice(Runtime(threads=cores, engine="processes", workers=3), calls) == Choice("processes", 3)


def test_an_address_needs_dask() -> None:
    """Another engine would silently not use it."""
    with pytest.raises(ConfigError, match=r"engine_address only with engine = 'dask'"):
        check({"ingestion": {"source": "a"}, "runtime": {"engine_address": "tcp://host:8786"}}, "test")
