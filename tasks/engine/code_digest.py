"""The digest of a stage's code: the meaning of its module and of all own modules that it imports.

Changing a comment, a docstring or a line break leaves the digest as it is; changing a constant, a name or a call does
not.
"""

import ast
import functools
from collections.abc import Callable, Iterator
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

from tasks.datasets.files import digest_of

OWN_PACKAGES = ("tasks", "w2v_core", "configs")
# Packages that compute no result: the engine, tracking, errors; and the config, whose values are in the key themselves.
# tests/test_architecture.py and tests/tasks/engine/test_code_digest.py check that they import no core.
EXEMPT = ("tasks.engine", "tasks.tracking", "tasks.errors", "configs")
SILENT = frozenset({"ctx", "kind", "type_comment", "type_ignores"})  # fields of a syntax tree


@functools.cache
def code_digest(module: str) -> str:
    """Return the digest of the meaning of a module and of every own module that it imports, directly or not."""
    return digest_of({name: _digest_of_source(path.read_text("utf-8")) for name, path in _covered(module)})


@functools.cache  # stages share most of their modules
def _digest_of_source(source: str) -> str:
    return blake2b(meaning(source).encode(), digest_size=16).hexdigest()


def closure(module: str) -> dict[str, Path]:
    """Return the file of each module that a stage's key covers: the stage's own, and every own module it imports."""
    return dict(_covered(module))


def _covered(module: str) -> Iterator[tuple[str, Path]]:
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        spec = None if name in seen or exempt(name) else find_spec(name)
        if spec and spec.origin:
            seen.add(name)
            yield name, Path(spec.origin)
            waiting += own_imports(Path(spec.origin).read_text("utf-8"), name)


def exempt(module: str) -> bool:
    """Return True if no key covers the module."""
    return any(f"{module}.".startswith(f"{each}.") for each in EXEMPT)


@functools.cache
def own_imports(source: str, module: str) -> list[str]:
    """Return the own modules that a source imports, at the top or inside functions.

    Raises ImportError for an import whose module cannot be read off the source: a relative one, `*`, or a name that a
    package's `__init__` would have to look up.
    """
    names: list[str] = []
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names if _is_own(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ImportError(f"{module}, line {node.lineno}: a relative import; name the module in full")
            if node.module and _is_own(node.module):
                names += [_imported(node.module, alias.name, module, node.lineno) for alias in node.names]
    for name in names:
        if _is_package(name):
            raise ImportError(f"{module} imports the package {name}; import a module of it, which counts for the key")
    return names


def _imported(package: str, name: str, module: str, line: int) -> str:
    """Return the module that `from package import name` imports, `package` being a package or a module."""
    if not _is_package(package):
        return package
    if find_spec(f"{package}.{name}") is None:
        raise ImportError(f"{module}, line {line}: {package}.{name} is no module; import it from the module it is in")
    return f"{package}.{name}"


def _is_own(name: str) -> bool:
    return name.split(".")[0] in OWN_PACKAGES


def _is_package(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None


def meaning(source: str) -> str:
    """Return the syntax tree of a source as text, without comments, docstrings and layout.

    The text is the same in Python 3.11 to 3.14, unlike that of `ast.dump`: it omits empty fields, as later versions add
    some, `ctx`, which follows from the place, and the kind of a string's quotes.
    """
    text: list[str] = []
    _tell(_tree(source), text.append)
    return "".join(text)


@functools.lru_cache(maxsize=8)  # its imports are read a moment after its meaning
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def _tell(node: object, say: Callable[[str], None]) -> None:
    if isinstance(node, ast.AST):
        say(f"({type(node).__name__}")
        for field in node._fields:
            if field in SILENT:
                continue
            value = getattr(node, field, None)
            if field == "values" and isinstance(node, ast.JoinedStr):  # 3.12.1 alone ends a format with an empty text
                value = [part for part in value or [] if not (isinstance(part, ast.Constant) and part.value == "")]
            if value is not None and value != []:
                say(f" {field}=")
                _tell(value, say)
        say(")")
    elif isinstance(node, list):
        say("[")
        for item in node:
            if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)):  # a docstring does nothing
                _tell(item, say)
        say("]")
    else:
        say(f"{type(node).__name__}:{node!a}")
