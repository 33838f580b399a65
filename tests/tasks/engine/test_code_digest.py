"""The digest of a stage's code ignores prose and covers all code that the stage imports."""

import ast
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from configs import schema
from tasks.engine import code_digest as engine_code_digest
from tasks.engine.code_digest import closure, code_digest, meaning, own_imports
from tests.support.paths import PROJECT

STAGES = [
    "ingestion.stage", "tokenization", "vocabulary", "windows", "training.stage", "evaluation.stage",
]  # fmt: skip
SECTIONS = [each for each in vars(schema).values() if isinstance(each, type) and issubclass(each, schema.Section)]
Digest = Callable[[], str]

STAGE = "from w2v_copy.outer import outer\n"
OUTER = '''
"""A helper."""
from w2v_copy import inner

def outer(a, b=[1, 2]):
    """Return the sum."""
    return inner.STEP + a  # and nothing of b
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stage, the helper that it imports, and the one that this imports."""
    folder = tmp_path / "w2v_copy"
    folder.mkdir()
    for name, text in {"__init__": "", "inner": "STEP = 1\n", "outer": OUTER, "stage": STAGE}.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "errors.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engine_code_digest, "OWN_PACKAGES", ("w2v_copy",))
    yield folder
    code_digest.cache_clear()
    for name in [name for name in sys.modules if name.startswith("w2v_copy")]:
        del sys.modules[name]


@pytest.fixture
def digest(package: Path) -> Digest:
    def digest() -> str:
        code_digest.cache_clear()
        return code_digest("w2v_copy.stage")

    return digest


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        ("outer", "# and nothing of b", "# b is not used"),
        ("outer", '"""Return the sum."""', '"""Add a step to a; b is there for show."""'),
        ("outer", '    """Return the sum."""\n', ""),
        ("outer", '"""A helper."""\n', ""),
        ("outer", "outer(a, b=[1, 2])", "outer(\n    a,\n    b=[\n        1,\n        2,\n    ],\n)"),
        ("inner", "STEP = 1\n", "# one step\n\n\nSTEP = (1)\n"),
    ],
)
def test_prose_and_layout_change_no_key(package: Path, digest: Digest, module: str, before: str, after: str) -> None:
    """A change of a comment, a docstring or a line break recomputes nothing."""
    was, file = digest(), package / f"{module}.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))

    assert digest() == was


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        ("inner", "STEP = 1", "STEP = 2"),  # two imports away
        ("inner", "STEP = 1", "STEP = 1.0"),
        ("inner", "STEP = 1", "STEP = '1'"),
        ("outer", "inner.STEP + a", "inner.STEP - a"),
        ("outer", "b=[1, 2]", "b=(1, 2)"),
        ("outer", "def outer(a,", "def outer(a, /,"),
        ("outer", "(a, b=", "(a: int, b="),
        ("stage", "import outer", "import outer as other"),
    ],
)
def test_code_changes_the_key(package: Path, digest: Digest, module: str, before: str, after: str) -> None:
    """Any change of code counts, also in a helper two imports away."""
    was, file = digest(), package / f"{module}.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))

    assert digest() != was


def test_an_exempt_module_changes_no_key(package: Path, digest: Digest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that computes nothing may change; neither it nor what only it imports is in the key."""
    (package / "stage.py").write_text(STAGE + "from w2v_copy import errors\n")
    monkeypatch.setattr(engine_code_digest, "EXEMPT", ("w2v_copy.errors",))
    was = digest()
    (package / "errors.py").write_text("RAISED = 1\n")

    assert digest() == was


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("from . import inner", "a relative import"),
        ("from .inner import STEP", "a relative import"),
        ("from w2v_copy import *", "is no module"),
        ("from w2v_copy import STEP", "is no module"),
        ("import w2v_copy", "the package w2v_copy"),
    ],
)
def test_an_import_that_cannot_be_followed_is_refused(package: Path, digest: Digest, line: str, why: str) -> None:
    """A key that missed a module would give old results for new code."""
    (package / "stage.py").write_text(f"def work():\n    {line}\n" if "*" not in line else f"{line}\n")

    with pytest.raises(ImportError, match=why):
        digest()


def test_every_python_gives_a_tree_the_same_text() -> None:
    """The text of a tree as 3.11, 3.12 and 3.13 gave it; `ast.dump` differs between them."""
    source = 'def f[T](a: int = 1, *, b="x") -> None: ...' if sys.version_info >= (3, 12) else "x = 1"
    told = meaning('"""Doc."""\nclass A:\n    "doc"\n    x: str = f"{y:{z}}" u"é"\n\n    def f(self): pass\n')

    assert meaning(source).startswith("(Module body=[")
    assert told == (
        "(Module body=[(ClassDef name=str:'A' body=[(AnnAssign target=(Name id=str:'x') annotation=(Name id=str:'str')"
        " value=(JoinedStr values=[(FormattedValue value=(Name id=str:'y') conversion=int:-1 format_spec=(JoinedStr"
        " values=[(FormattedValue value=(Name id=str:'z') conversion=int:-1)]))(Constant value=str:'\\xe9')])"
        " simple=int:1)(FunctionDef name=str:'f' args=(arguments args=[(arg arg=str:'self')]) body=[(Pass)])])])"
    )


def pythons() -> list[str]:
    """Return the other versions of Python on this machine that start."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [path for minor in range(11, 15) if (path := shutil.which(f"python3.{minor}"))]
    found += map(str, sorted(pyenv.glob("3.1[1-4].*/bin/python3")))
    asked = {path: subprocess.run([path, "--version"], capture_output=True, text=True) for path in found}
    ours = f"Python {platform.python_version()}"
    return [path for path, done in asked.items() if not done.returncode and done.stdout.strip() != ours]


@pytest.mark.skipif(not pythons(), reason="no other Python from 3.11 to 3.14 is on this machine")
def test_every_python_here_gives_every_stage_the_same_key() -> None:
    """A store that one version has filled is reused by another; no package is needed to tell."""
    stages = [f"tasks.{name}" for name in STAGES]
    code = f"from tasks.engine.code_digest import code_digest\nprint(*map(code_digest, {stages}))"
    told = {
        python: subprocess.run([python, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        for python in pythons()
    }

    assert {digests.strip() for digests in told.values()} == {" ".join(map(code_digest, stages))}


def test_real_stages_follow_what_they_import() -> None:
    """The windows stage depends on the core and the contracts; ingestion depends on neither learner nor noise."""
    windows, ingestion = set(closure("tasks.windows")), set(closure("tasks.ingestion.stage"))

    assert {"tasks.windows", "w2v_core.windows", "w2v_core.randomness", "tasks.datasets.contracts"} <= windows
    assert not [name for name in ingestion if name.startswith("w2v_core")]


@pytest.mark.parametrize("name", STAGES)
def test_stages_import_sections_of_the_config_alone(name: str) -> None:
    """The values of a section are in the key; code of `configs` is not, so no stage runs any."""
    sections = {section.__name__ for section in SECTIONS}
    imports = [
        (module, node.module, alias.name)
        for module, path in closure(f"tasks.{name}").items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "configs"
        for alias in node.names
    ]

    assert not [each for each in imports if each[1] != "configs.schema" or each[2] not in sections]


def test_sections_compute_nothing() -> None:
    """A property or method of a section would change results without changing keys."""
    members = {
        f"{section.__name__}.{name}"
        for section in SECTIONS
        for name, value in vars(section).items()
        if (isinstance(value, property) or callable(value)) and not name.startswith("_") and name not in vars(BaseModel)
    }

    assert len(SECTIONS) > 10
    assert not members


@pytest.mark.parametrize("name", STAGES)
def test_stages_import_nothing_by_a_name_that_cannot_be_read(name: str) -> None:
    """`import_module` would load code that the key does not see."""
    sources = {module: path.read_text() for module, path in closure(f"tasks.{name}").items()}

    assert not [module for module, source in sources.items() if "import_module" in source or "__import__" in source]


def test_an_import_within_a_function_counts() -> None:
    """Its position in the source does not matter."""
    assert own_imports("def f():\n    from w2v_core.windows import Windows\n", "here") == ["w2v_core.windows"]
