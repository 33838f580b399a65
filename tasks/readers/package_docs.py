"""Read the documentation of installed Python packages: docstrings, and the .md, .rst and .txt files they contain.

Nothing is imported. The result depends on the versions of the distributions alone, not on where they are installed.
"""

import ast
import gc
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import metadata
from pathlib import PurePath
from typing import BinaryIO

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers.documents import Document, broken, row

SUFFIXES = {".py", ".md", ".rst", ".txt"}
_ONE_AT_A_TIME = threading.Lock()  # two threads that parse share a counter up to Python 3.11.7: SystemError (gh-106905)
NO_DOCUMENTATION = re.compile(r"(^|/)(\.\.|[^/]*\.(dist|egg)-info|_?tests?|conftest\.py|test_[^/]*)(/|$)")
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
STATEMENT = ast.stmt | ast.ExceptHandler | ast.match_case


def documentation(distribution: str) -> tuple[str, list[metadata.PackagePath]]:
    """Return the version and, sorted, the files that may hold documentation, with recorded size and digest.

    Raises InputError if the distribution is not installed.
    """
    try:
        installed = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        raise InputError(_not_installed(distribution)) from None
    files = [file for file in installed.files or [] if file.suffix in SUFFIXES]
    documenting = [file for file in files if not NO_DOCUMENTATION.search(file.as_posix())]
    return installed.version, sorted(documenting, key=PurePath.as_posix)


def docstrings(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield each docstring of a Python source, in order; a source that cannot be parsed counts as undecodable."""
    try:
        source = stream.read()
        with _ONE_AT_A_TIME, _uncollected(), warnings.catch_warnings(action="ignore"):  # about invalid escape sequences
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        yield broken(name, f"line {getattr(error, 'lineno', 1)}", 0)
        return
    for node in _documented(tree):
        if text := ast.get_docstring(node):
            line = node.body[0].lineno
            yield from row(f"{name}:{line}", text, f"line {line}", config, "docstring")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage within the block: a tree is large and has no cycles, and to search it takes a third more."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _documented(tree: ast.Module) -> Iterator[DOCUMENTED]:
    """Yield modules, classes and functions, depth first. Expressions contain none and are skipped."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, DOCUMENTED):
            yield node
        waiting += reversed([child for child in ast.iter_child_nodes(node) if isinstance(child, STATEMENT)])


def _not_installed(distribution: str) -> str:
    known = sorted({found.name for found in metadata.distributions()})
    near = get_close_matches(distribution, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"installed are {', '.join(known)}"
    return (
        f"installed-docs: the distribution {distribution!r} is not installed\n{hint}\n"
        "Install it, or take it out of ingestion.distributions."
    )
