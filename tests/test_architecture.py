"""Walls: what holds for the project as a whole."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from flows.cli.main import app
from tasks.engine import environment
from tests.support.paths import PROJECT

TRACKED = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
SOURCES = [
    name for name in TRACKED if name.endswith(".py") and name.split("/")[0] in {"flows", "tasks", "w2v_core", "configs"}
]


def test_readme_names_the_commands_that_run() -> None:
    """The two commands of the README are targets of the Makefile, and CI calls the second."""
    readme, makefile = (PROJECT / "README.md").read_text(), (PROJECT / "Makefile").read_text()

    for command in ("retrain", "test"):
        assert f"make {command}" in readme
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
    assert "make test" in (PROJECT / ".ci" / "run").read_text()


LOCKS = {
    "requirements.lock": ["postgres", "remote", "s3", "segment", "dask", "index", "build"],
    "requirements-dev.lock": ["dev"],
}


def pinned(lock: str) -> dict[str, str]:
    """Return each entry of a lock by what it pins, such as `numpy==2.4.6 ; python_full_version < '3.12'`."""
    entries = re.split(r"^(?=[A-Za-z0-9])", (PROJECT / lock).read_text(), flags=re.MULTILINE)[1:]
    return {entry.partition(" \\")[0]: entry for entry in entries}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_everything_with_hashes(lock: str) -> None:
    """Each distribution of a lock has a version and at least one hash, and each dependency is in the lock."""
    entries = pinned(lock)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [each for name in LOCKS[lock] for each in project["optional-dependencies"][name]]
    names = {re.split(r"[=\[]", entry)[0].lower() for entry in entries}

    assert all("==" in entry and "--hash=sha256:" in text for entry, text in entries.items())
    assert {re.split(r"[<>=\[]", name)[0].lower() for name in wanted} <= names


def test_users_get_the_versions_that_are_tested_and_no_tools() -> None:
    """The lock that `make retrain` and the image install is a part of the one that `make test` installs."""
    users, developers = pinned("requirements.lock"), pinned("requirements-dev.lock")
    tools = {"pytest", "hypothesis", "ruff", "mypy", "selenium", "moto", "mkdocs", "mkdocs-material", "import-linter"}

    assert {entry.partition(" ")[0] for entry in users} <= {entry.partition(" ")[0] for entry in developers}
    assert not tools & {entry.partition("==")[0] for entry in users}
    assert tools <= {entry.partition("==")[0] for entry in developers}


def test_no_registry_and_no_machine_is_named() -> None:
    """No file of the project names a package registry's host, or a path of one machine."""
    hosts = "|".join(["py" + "pi.org", "python" + "hosted", "npm" + "js", "deb" + "ian.org"])
    machines = "|".join(["/ro" + "ot/", "/ho" + "me/", "/wo" + "rk/"])
    found = [name for name in TRACKED if re.search(f"{hosts}|{machines}".encode(), (PROJECT / name).read_bytes())]

    assert not found


def test_nothing_outside_the_keys_computes() -> None:
    """The packages that count for no key import no core: a change of theirs cannot change a result."""
    exempt = [name for name in SOURCES if name.startswith(("tasks/engine/", "tasks/tracking/", "tasks/errors"))]

    assert len(exempt) > 20
    assert not [name for name in exempt if re.search(r"^\s*(from|import) w2v_core", (PROJECT / name).read_text(), re.M)]


def test_a_folder_is_a_package_with_a_sign() -> None:
    """An `__init__` holds a docstring and no code, which would run with every import of a module beside it.

    But for the line in `tasks` that chooses pyarrow's allocator before pyarrow is loaded, and the core's lazy names.
    """
    signs = [name for name in SOURCES if name.endswith("__init__.py")]
    busy = [name for name in signs if len(ast.parse((PROJECT / name).read_text()).body) != 1]

    assert len(signs) > 25
    assert busy == ["tasks/__init__.py", "w2v_core/__init__.py"]
    assert not [name for name in signs if not ast.get_docstring(ast.parse((PROJECT / name).read_text()))]


def test_no_module_is_hidden_and_no_folder_is_a_heap() -> None:
    """A name tells what a module is, and a folder holds what can be taken in at a glance."""
    heaps = Counter(str(Path(name).parent) for name in SOURCES)

    assert not [name for name in SOURCES if Path(name).name.startswith("_") and not name.endswith("__init__.py")]
    assert max(heaps.values()) <= 18  # 17 modules and the sign


def test_no_flow_prints() -> None:
    """Flows and what they call return or log; a command prints what they return."""
    spoken = (
        "flows/cli/",
        "flows/service/",
        "flows/servers/",
        "flows/serving/",
        "flows/deployment/",
        "tasks/readers/page",
        "tasks/engine/workers/child",  # a process of its own, whose answers are lines
    )
    silent = [name for name in SOURCES if name.startswith(("flows/", "tasks/")) and not name.startswith(spoken)]

    assert len(silent) > 100
    assert not [name for name in silent if re.search(r"^\s*print\(|log_prints", (PROJECT / name).read_text(), re.M)]


def test_what_a_deployed_flow_logs_is_shown() -> None:
    """The module of each entrypoint sets the level of our log, which would be WARNING in a process of a worker."""
    deployed = (PROJECT / "flows" / "deployment" / "prefect.yaml").read_text()
    modules = {name.rpartition(".")[0] for name in re.findall(r"entrypoint: (\S+)", deployed)}
    sources = {name: (PROJECT / f"{name.replace('.', '/')}.py").read_text() for name in modules}

    assert len(modules) > 3
    assert not [
        name
        for name, text in sources.items()
        if not re.search(r"^log\.setLevel|^from flows\.retrain import", text, re.M)
    ]


def test_no_import_is_relative() -> None:
    """A stage's key follows imports by their full names."""
    assert not [name for name in SOURCES if re.search(r"^\s*from \.", (PROJECT / name).read_text(), re.M)]


def test_no_pickle() -> None:
    """Arrays are .npy without pickle or Parquet; nothing imports a pickler."""
    sources = [
        name for name in TRACKED if name.endswith(".py") and name.split("/")[0] in {"flows", "tasks", "w2v_core"}
    ]

    assert not [
        name for name in sources if re.search(r"import (cloud)?pickle|allow_pickle=True", (PROJECT / name).read_text())
    ]


def test_help_answers_at_once() -> None:
    """`w2v --help` imports none of the heavy libraries: they are what would take seconds."""
    code = (
        "import sys; sys.argv = ['w2v', '--help']\n"
        "from flows.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as done: assert not done.code\n"
        "heavy = {'prefect', 'mlflow', 'pyarrow', 'pandas', 'numpy', 'scipy', 'matplotlib', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert answer.stdout.splitlines()[-1] == "[]"
    assert "retrain" in answer.stdout


COMMANDS = sorted(get_command(app).commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    """Each command has a help page that ends well."""
    answer = CliRunner().invoke(app, [name, "--help"], prog_name="w2v")

    assert answer.exit_code == 0
    assert f"w2v {name}" in answer.output


def test_the_certificate_finds_the_project() -> None:
    """What the code's own files are is looked for where they are: the lock is at the top."""
    assert (environment.SOURCE / "requirements.lock").exists()
    assert (environment.SOURCE / "tasks" / "engine" / "environment.py").exists()
