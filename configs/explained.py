"""Write a config with explanations: as a template to edit, or with the origin of each value."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import tomli_w
from pydantic.fields import FieldInfo

from configs.names import model_name
from configs.schema import Config, Section
from configs.writing import printable

WIDTH = 120
UNSET = "not set"
SECTIONS = ("", "ingestion", "tokenization", "vocabulary", "windows", "training", "evaluation", "schedule")  # to edit


def template(config: Config, comment: str) -> str:
    """Return TOML with each key and its description; defaults are commented out.

    The sections are those that people edit, and those where the config differs from the defaults.
    """
    lines = [f"# {printable(line)}" for line in comment.splitlines()]
    given = config.model_dump(mode="json", exclude_defaults=True)
    if given["tracking"] == {"registered_model": model_name(config.name)}:
        del given["tracking"]
    for name, section in (each for each in _sections(config) if each[0] in {*SECTIONS, *given}):
        own = given.get(name, {}) if name else given
        lines += ["", f"[{name}]"] if name else [""]
        lines += [f"# {line}" for line in _wrapped(type(section).__doc__ or "")] if name else []
        for key, value, field in _values(section):
            if key == "version" or (name, key) == ("ingestion", "kind"):  # which follows from tokenization.kind
                continue
            lines += ["", *(f"# {line}" for line in _wrapped(field.description or _choices(field)))]
            said = _line(key, value)
            lines.append(said if key in own and value is not None else f"# {said}")
    return "\n".join(lines) + "\n"


def listed(config: Config, origins: Mapping[str, str]) -> str:
    """Return TOML with all values, each followed by its origin; `origins` maps `section.key`, the rest are defaults."""
    lines: list[str] = []
    for name, section in _sections(config):
        lines += ["", f"[{name}]"] if name else []
        for key, value, _ in _values(section):
            place = f"{name}.{key}" if name else key
            said = _line(key, value)
            lines.append(f"{said if value is not None else f'# {said}'}  # {printable(origins.get(place, 'default'))}")
    return "\n".join(lines) + "\n"


def _sections(config: Config) -> Iterator[tuple[str, Section]]:
    yield "", config
    yield from ((name, value) for name, value in config if isinstance(value, Section))


def _values(section: Section) -> Iterator[tuple[str, Any, FieldInfo]]:
    values = section.model_dump(mode="json")
    for key, field in type(section).model_fields.items():
        if not isinstance(getattr(section, key), Section):
            yield key, values.get(key, getattr(section, key)), field  # the dump leaves out some keys at their defaults


def _line(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{key} = {{{', '.join(_line(each, number) for each, number in value.items())}}}"
    return f"{key} = {UNSET}" if value is None else " ".join(tomli_w.dumps({key: value}, indent=0).split("\n")).strip()


def _choices(field: FieldInfo) -> str:
    """Return the values that a key without a description may have, such as 'linear', 'constant' or 'cosine'."""
    choices = [repr(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
    return f"One of {', '.join(choices)}." if choices else ""


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), WIDTH - 2)
