"""The pages under docs/reference that are made of the code: `make reference` writes them all.

`cli.md` from the commands, `config.md` from the schema, `datasets.md` from the contracts, `metrics-and-tags.md` from
the names that are written to MLflow, `errors.md` from the classes, `formats.md` from the tables of formats, `json.md`
from the shapes, and `notebook.ipynb` from the page docs/how-to/notebook.md. What the code does not say (what a column
means, when a tag is set) is said in `meanings.py`; a column without a meaning is a KeyError.

It is a script beside its pages and no module of `flows`: no user runs it, and no wheel needs it.
"""

import inspect
import json
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from configs import loading
from configs.schema import Config
from docs import meanings
from flows.cli.main import COMMANDS, app
from tasks import errors
from tasks.datasets import contracts
from tasks.engine import store
from tasks.readers import page as formats
from tasks.tracking import names
from w2v_core import training

FOLDER = Path(__file__).parent / "reference"
PROJECT = Path(__file__).parent.parent
WIDTH = 120
GENERATED = "<!-- Made by `make reference` (docs/generate.py): change the code, not this page. -->"


def main(folder: Path = FOLDER) -> None:
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


def cli() -> str:
    """Each command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    parts = [_head("Command line", meanings.CLI)]
    parts.append(
        _table(
            ["command", "does"],
            [[f"[`{name}`](#{name})", each.help.partition("\n\n")[0]] for name, each in _commands(group)],
        )
    )
    parts.append("## Options before the command\n\n" + _options(group))
    for name, each in _commands(group):
        arguments = [parameter for parameter in each.params if parameter.param_type_name == "argument"]
        usage = " ".join(["w2v", name, *map(_argument, arguments), "[OPTIONS]"])
        parts.append(f"## {name}\n\n{_wrapped(each.help)}\n\n```sh\n{usage}\n```\n\n{_options(each)}")
    return _page(parts)


def config() -> str:
    """Each section with its keys, what they may be, and what they are if unsaid."""
    parts = [_head("Config", meanings.CONFIG)]
    parts.append("## At the top of the file\n\n" + _keys(Config, sections=False))
    for name, field in Config.model_fields.items():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, loading.BaseModel):
            about = _wrapped(inspect.getdoc(field.annotation) or "")
            parts.append(f"## `[{name}]`\n\n{about}\n\n{_keys(field.annotation)}")
    return _page(parts)


def datasets() -> str:
    """Each contract with its columns, then the manifest beside each output."""
    known = [each for each in vars(contracts).values() if isinstance(each, contracts.Contract)]
    parts = [_head("Datasets", meanings.DATASETS)]
    for contract in [*known, contracts.vectors(100), contracts.subwords(100)]:
        about, columns = meanings.COLUMNS[contract.name]
        rows = [[f"`{field.name}`", f"`{_arrow(field)}`", columns[field.name]] for field in contract.schema]
        parts.append(f"## `{contract.id}`\n\n{_wrapped(about)}\n\n" + _table(["column", "type", "meaning"], rows))
    rows = [[f"`{name}`", meanings.MANIFEST[name]] for name in store.Manifest.model_fields]
    parts.append(
        "## `manifest.json`\n\n" + _wrapped(meanings.ABOUT_MANIFEST) + "\n\n" + _table(["key", "meaning"], rows)
    )
    return _page(parts)


def metrics_and_tags() -> str:
    """What a run holds in MLflow."""
    parts = [_head("Metrics, tags and artifacts", meanings.RUNS)]
    tables = {"Metrics": names.METRICS, "Tags": names.TAGS, "Artifacts": names.ARTIFACTS}
    for title, known in (tables | {"Parameters": names.PARAMETERS}).items():
        rows = [[f"`{_filled(name)}`", meaning] for name, meaning in known.items()]
        about = _wrapped(meanings.PARAMETERS) + "\n\n" if title == "Parameters" else ""
        parts.append(f"## {title}\n\n{about}{_table(['name', 'meaning'], rows)}")
    return _page(parts)


def _filled(name: str) -> str:
    """A name's template as people read it: `similarity/{set}` as similarity/SET."""
    return re.sub(r"{(\w+)}", lambda part: part[1].upper(), name)


def error_classes() -> str:
    """The tree of classes, and what each means for a program that catches it."""
    tree = inspect.getdoc(errors) or ""
    parts = [_head("Errors", meanings.ERRORS), f"```text\n{tree.partition(chr(10) * 2)[2].strip()}\n```"]
    rows = []
    for each in (*_below(errors.PipelineError), loading.ConfigError, training.Diverged):
        rows.append([f"`{each.__module__}.{each.__name__}`", f"`{each.__bases__[0].__name__}`", _first(each)])
    parts.append("## Classes\n\n" + _table(["class", "is a", "says"], rows))
    return _page(parts)


def answers() -> str:
    """What `--json` prints, command by command."""
    parts = [_head("JSON of commands", meanings.JSON)]
    for name, (about, shape) in meanings.SHAPES.items():
        rows = [[f"`{path}`", kind, meaning] for path, kind, meaning in _paths(shape)]
        parts.append(f"## `w2v {name} --json`\n\n{_wrapped(about)}\n\n" + _table(["field", "value", "meaning"], rows))
    return _page(parts)


def _paths(shape: Any, before: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield the fields of a record as paths: `[]` stands for each item of a list, `.*` for each key of an object."""
    for name, field in shape.model_fields.items():
        path, annotation = before + name, field.annotation
        yield path, _json_kind(annotation), field.description or meanings.FIELDS[name]
        if inner := _record_in(annotation):
            path += {"list": "[]", "dict": ".*"}.get(getattr(typing.get_origin(annotation), "__name__", ""), "")
            path += "[]" if "dict[str, list" in str(annotation) else ""
            yield from _paths(inner, f"{path}.")


def _record_in(annotation: Any) -> Any:
    if inspect.isclass(annotation) and issubclass(annotation, store.FrozenModel):
        return annotation
    return next(filter(None, map(_record_in, typing.get_args(annotation))), None)


def _json_kind(annotation: Any) -> str:
    """The type in JSON's words."""
    arguments = [each for each in typing.get_args(annotation) if each is not type(None)]
    kinds = {str: "text", bool: "true or false", int: "integer", float: "number"}
    origin = typing.get_origin(annotation)
    if origin is list:
        return f"list of {_json_kind(arguments[0])}"
    if origin is dict:
        return f"object of {_json_kind(arguments[1])}"
    return _json_kind(arguments[0]) + " or null" if arguments else kinds.get(annotation, "object")


def file_formats() -> str:
    return formats.page(json.loads((PROJECT / formats.RUN).read_text(encoding="utf-8")))


def notebook() -> str:
    """The page about notebooks as one: its text as Markdown cells, its blocks as cells of code."""
    text = (FOLDER.parent / "how-to" / "notebook.md").read_text(encoding="utf-8")
    cells: list[dict[str, Any]] = []
    for number, part in enumerate(re.split(r"^```(?:python)?$", text, flags=re.MULTILINE)):
        kind = "code" if number % 2 else "markdown"
        about = {"execution_count": None, "outputs": []} if kind == "code" else {}
        lines = part.strip().splitlines(keepends=True)
        cells.append({"cell_type": kind, "id": f"cell-{number}", "metadata": {}, **about, "source": lines})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli,
    "config.md": config,
    "datasets.md": datasets,
    "metrics-and-tags.md": metrics_and_tags,
    "errors.md": error_classes,
    "json.md": answers,
    "formats.md": file_formats,
    "notebook.ipynb": notebook,
}


def _commands(group: Any) -> Iterator[tuple[str, Any]]:
    """In the order in which a newcomer meets them: that of the modules in `COMMANDS`."""
    order = [module.__name__ for module in COMMANDS]
    yield from sorted(group.commands.items(), key=lambda each: order.index(each[1].callback.__module__))


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name).upper() + ("…" if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _options(command: Any) -> str:
    rows = []
    for each in command.params:
        if each.name == "help":
            continue
        if each.param_type_name == "argument":
            shown = f"`{_argument(each)}`"
        else:
            takes = "" if getattr(each, "is_flag", False) else " " + (each.metavar or each.name.upper())
            shown = ", ".join(f"`{name}{takes}`" for name in each.opts)
        said = each.show_default if isinstance(each.show_default, str) else each.default
        rows.append([shown, _default(said), each.help or meanings.OPTIONS.get(each.name, "")])
    return _table(["argument or option", "default", "meaning"], rows)


def _default(value: Any) -> str:
    if isinstance(value, Path):
        value = value.relative_to(PROJECT) if value.is_relative_to(PROJECT) else value
    return "" if value in (None, False, "", [], ()) else f"`{value}`"


def _keys(section: Any, *, sections: bool = True) -> str:
    schema = section.model_json_schema()
    rows = []
    for name, field in section.model_fields.items():
        if not sections and "$ref" in schema["properties"][name]:
            continue
        default = "required" if field.is_required() else f"`{json.dumps(field.default, ensure_ascii=False)}`"
        default = "–" if default == "`null`" else default
        assert field.description, f"{name} has no description"
        rows.append([f"`{name}`", _kind(schema["properties"][name], schema), default, field.description])
    return _table(["key", "value", "default", "meaning"], [row for row in rows if row[1] != "section"])


def _kind(about: dict[str, Any], schema: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "anyOf" in about:
        kinds = [_kind(each, schema) for each in about["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in about or "allOf" in about:
        return "section"
    if "enum" in about or "const" in about:
        return ", ".join(f"`{value}`" for value in about.get("enum", [about.get("const")]))
    if about["type"] == "array":
        return f"list of {_kind(about['items'], schema)}"
    kind = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "object": "table"}
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {about[key]:g}" for key, sign in signs.items() if key in about and abs(about[key]) < 2**62]
    return kind[about["type"]] + (f" {', '.join(limits)}" if limits else "")


def _arrow(field: Any) -> str:
    return re.sub(r"fixed_size_list<(?:item|element): float>\[\d+\]", "list of D float", str(field.type))


def _below(base: type) -> Iterator[type]:
    """The class and those derived from it that users meet, each below its own base."""
    yield base
    for each in base.__subclasses__():
        if each.__module__.startswith(("tasks.", "flows.")):
            yield from _below(each)


def _first(each: type) -> str:
    said = inspect.cleandoc(each.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return said or meanings.CLASSES[each.__name__]


def _head(title: str, text: str) -> str:
    return f"# {title}\n\n{GENERATED}\n\n{text.strip()}"


def _wrapped(text: str) -> str:
    plain = re.sub(r"\s*\n\s*", " ", text.strip())
    return textwrap.fill(plain, WIDTH, break_long_words=False, break_on_hyphens=False)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [
        head,
        ["---"] * len(head),
        *([re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in row] for row in rows),
    ]
    return "\n".join("| " + " | ".join(cells).replace("|  |", "| |") + " |" for cells in lines)


def _page(parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in parts) + "\n"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
