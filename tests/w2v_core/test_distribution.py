"""The core as a distribution of its own: its public names, its wheel, the example of its README."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import w2v_core
from tests.support.wheels import HERE, PROJECT, build, environment

README = PROJECT / "w2v_core" / "README.md"
NEEDED = [HERE / name for name in ("numpy", "numpy.libs", "scipy", "scipy.libs", "threadpoolctl.py")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("core"), of="w2v_core")


def test_the_public_names_are_typed_and_described() -> None:
    """`__all__`, the stub and the table of the README have the same names, and each can be imported."""
    stub = ast.parse((PROJECT / "w2v_core" / "__init__.pyi").read_text())
    typed = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    table = re.findall(r"^\| (`.*?) \|", README.read_text(), re.MULTILINE)
    described = set(re.findall(r"`(\w+)`", " ".join(table)))

    assert set(w2v_core.__all__) == typed == described
    assert all(getattr(w2v_core, name) is not None for name in w2v_core.__all__)
    assert set(w2v_core.__all__) <= set(dir(w2v_core))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        w2v_core.trian  # noqa: B018


def test_the_package_loads_nothing_before_it_is_used() -> None:
    """`import w2v_core` imports no module of it, and not NumPy."""
    code = "import sys, w2v_core; print([name for name in sys.modules if name.startswith(('w2v_core.', 'numpy'))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_the_wheel_holds_the_core_alone(wheel: Path) -> None:
    """The wheel has all modules of the core, its type information and the licence."""
    names = set(ZipFile(wheel).namelist())
    modules = {str(path.relative_to(PROJECT)) for path in (PROJECT / "w2v_core").rglob("*.py")}

    assert {name for name in names if ".dist-info/" not in name} == modules | {
        "w2v_core/py.typed", "w2v_core/__init__.pyi",
    }  # fmt: skip
    assert any(name.endswith("/LICENSE") for name in names)
    assert (PROJECT / "w2v_core" / "LICENSE").read_bytes() == (PROJECT / "LICENSE").read_bytes()


def test_the_example_runs_with_three_packages(wheel: Path, tmp_path: Path) -> None:
    """The environment has NumPy, SciPy, threadpoolctl and the wheel; the words near `fish` are those of its topic."""
    programs = environment(tmp_path / "environment", wheel, [path.name for path in NEEDED if path.exists()])
    (example,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "example.py").write_text(f"{example}\nprint(w2v.__file__)\n")
    done = subprocess.run(
        [programs / "python", "-P", tmp_path / "example.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    _, near, place = done.stdout.splitlines()

    assert set(near.split()[2:]) == {"salt", "wave", "boat", "sail", "reef"}
    assert Path(place).is_relative_to(tmp_path)
