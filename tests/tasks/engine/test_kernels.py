"""The kernels of BLAS and NumPy: part of the keys, and the same on every CPU where `runtime.portable` pins them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs.schema import Runtime, Training, Vocabulary
from tasks.engine import kernels as engine_kernels
from tasks.engine.environment import describe
from tasks.errors import PipelineError
from tasks.training.stage import training
from tasks.vocabulary import vocabulary
from tests.support.paths import PROJECT

LEVELS = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"
OLDER = {"OPENBLAS_CORETYPE": "Sandybridge", "NPY_DISABLE_CPU_FEATURES": LEVELS}  # this CPU, as if it were of 2011
TRAIN = """
import sys
from pathlib import Path
from configs.schema import Runtime
from tasks.engine import kernels as _arithmetic
if portable := sys.argv[2] != "plain":
    if sys.argv[2] == "late":
        import numpy
    _arithmetic.pin()
from tasks.engine.stage import Context
from tests.tasks.training.test_stage import train
vectors = train(Context(runtime=Runtime(workspace=sys.argv[1], portable=portable)), vector_size=50)
print(_arithmetic.shown(_arithmetic.kernels()), vectors.digest, sep="|")
"""
needs_avx2 = pytest.mark.skipif("avx2" not in describe()["cpu"]["features"], reason="portable is for CPUs with AVX2")


def trained(workspace: Path, how: str, **environment: str) -> tuple[str, str]:
    """The kernels and the digest of a training in a process of its own."""
    plain = {k: v for k, v in os.environ.items() if k not in {*engine_kernels.PINNED, engine_kernels.CONTRARY}}
    command = [sys.executable, "-c", TRAIN, workspace, how]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env=plain | environment)
    assert done.returncode == 0, done.stderr
    kernels, digest = done.stdout.strip().split("|")
    return kernels, digest


@needs_avx2
def test_portable_gives_the_same_bits_on_two_kinds_of_cpu(tmp_path: Path) -> None:
    """An older CPU's kernels give other bits than this CPU's; when both are pinned, even late, their bits agree."""
    here, older = trained(tmp_path / "here", "plain"), trained(tmp_path / "older", "plain", **OLDER)
    pinned, again = trained(tmp_path / "pinned", "portable"), trained(tmp_path / "again", "late", **OLDER)

    assert older[0].startswith("openblas Sandybridge;")
    assert here[1] != older[1]
    assert pinned[0] == "openblas Haswell; NumPy X86_V3"
    assert pinned == again


def test_a_promise_that_cannot_be_kept_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process with other kernels, runtime.portable is refused with an error that says what to set."""
    monkeypatch.setattr(engine_kernels, "kernels", lambda: {"blas": ["openblas Zen"], "simd": ["X86_V3", "X86_V4"]})
    engine_kernels.check(Runtime())

    with pytest.raises(PipelineError, match=r"found     openblas Zen; NumPy X86_V3 X86_V4\n.*set OPENBLAS_CORETYPE"):
        engine_kernels.check(Runtime(portable=True))


def test_kernels_are_in_the_keys_of_what_they_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training on another CPU is another output; its vocabulary, where nothing is rounded, is the same."""
    arguments = {"draws": [], "held_out": None, "window": 5, "seed": 1}

    def keys() -> tuple[object, object]:
        return (
            training.inputs(vocabulary=None, config=Training(), **arguments),
            vocabulary.inputs(tokens=None, config=Vocabulary()),
        )

    before = keys()
    monkeypatch.setattr(engine_kernels, "kernels", lambda: {"blas": ["openblas Other"], "simd": []})
    after = keys()

    assert before[0] != after[0]
    assert before[1] == after[1]
