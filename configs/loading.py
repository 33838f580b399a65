"""From a TOML file and `--set section.key=value` to a checked config, with errors that name the way out."""

import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from configs.schema import Config


class ConfigError(ValueError):
    """The config names an unknown key, an impossible value, or a file that is not there."""


def load(path: str | Path | None, settings: Iterable[str] = ()) -> Config:
    """The config of `path`, or the defaults where there is none, changed by settings such as `training.epochs=3`.

    Raises ConfigError, which names each wrong key, what was expected, what was found, and the nearest known key.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except OSError as error:
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("*.toml"))) or "none here"
        raise ConfigError(f"{path}: cannot read this config ({error.strerror}).\nKnown configs: {known}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    return check(set_values(values, settings), str(path or "--set"))


def check(values: dict[str, Any], place: str) -> Config:
    """The config that `values` describe; `place` is named in the error."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_sentence(place, item) for item in error.errors())) from None


def set_values(values: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """The values, changed by each `section.key=value`. Raises ConfigError for what is no such setting."""
    for setting in settings:
        _set(values, setting)
    return values


def _set(values: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    *sections, key = name.strip().split(".")
    if not equals or not key:
        raise ConfigError(f"--set {setting}\nexpected  section.key=value, such as training.epochs=3")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {setting}\n`{section}` is a value, not a section")
    values[key] = _value(text.strip())


def _value(text: str) -> Any:
    """A TOML value, or the text itself where it is none: paths and words need no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _sentence(place: str, item: Any) -> str:
    keys = [str(key) for key in item["loc"]]
    name = ".".join(keys) or "the config"
    if item["type"] != "extra_forbidden":
        found = "" if item["type"] == "missing" else f"\nfound     {item['input']!r}"
        return f"{place}: {name}\nexpected  {item['msg']}{found}"
    known = _known_keys(keys[:-1])
    near = get_close_matches(keys[-1], known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
    return f"{place}: unknown key {name}\n{hint}"


def _known_keys(sections: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for section in sections:
        annotation = model.model_fields[section].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []  # a value, which has no keys
        model = annotation
    return list(model.model_fields)
