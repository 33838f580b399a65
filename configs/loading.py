"""From a TOML file and `--set section.key=value` to a checked config, with errors that name the way out."""

import tomllib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from configs.schema import Config

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "array": "a list of texts",
}  # of JSON's types
LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "pattern": "matching {}",
}  # of JSON schemas
TELLING = ("tokenization.", "vocabulary.", "windows.", "training.", "seed=")  # what a run is told from others by


class ConfigError(ValueError):
    """The config names an unknown key, an impossible value, or a file that is not there."""


def load(path: str | Path | None, settings: Iterable[str] = ()) -> Config:
    """The config of `path`, or the defaults where there is none, changed by settings such as `training.epochs=3`.

    What the settings change is added to its name, so that its run can be told from others at a glance.

    Raises ConfigError, which names each wrong key and where it was said, what was expected, what was found, and the
    nearest known key.
    """
    settings = list(settings)
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except OSError as error:
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("*.toml"))) or "none here"
        raise ConfigError(f"{path}: cannot read this config ({error.strerror}).\nKnown configs: {known}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    config = check(set_values(values, settings), str(path or "the defaults"), settings)
    changes = [setting.partition(".")[2] or setting for setting in settings if setting.startswith(TELLING)]
    named = any(setting.startswith("name=") for setting in settings)
    return config if named or not changes else config.model_copy(update={"name": " ".join([config.name, *changes])})


def check(values: dict[str, Any], place: str, settings: Sequence[str] = ()) -> Config:
    """The config that `values` describe: they are from `place`, except for what the settings have changed."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        sentences = (_sentence(item, place, settings) for item in error.errors())
        raise ConfigError("\n".join(dict.fromkeys(sentences))) from None  # a union has an error for each member


def set_values(values: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """The values, changed by each `section.key=value`. Raises ConfigError for what is no such setting."""
    for setting in settings:
        _set(values, setting)
    return values


def _set(values: dict[str, Any], setting: str) -> None:
    _, equals, text = setting.partition("=")
    keys = _keys(setting)
    if not equals or not keys[-1]:
        raise ConfigError(f"--set {setting}\nexpected  section.key=value, such as training.epochs=3")
    put(values, keys, value_of(text.strip()), f"--set {setting}")


def put(values: dict[str, Any], keys: Sequence[str], value: Any, said: str) -> None:
    """Change one value. Raises ConfigError, which begins with what was `said`, if the way to it is no section."""
    *sections, key = keys
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{said}\n`{section}` is a value, not a section")
    values[key] = value


def value_of(text: str) -> Any:
    """A TOML value, or the text itself where it is none: paths and words need no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _keys(setting: str) -> list[str]:
    return setting.partition("=")[0].strip().split(".")


def _sentence(item: Any, place: str, settings: Sequence[str]) -> str:
    keys, expected = _described([str(key) for key in item["loc"]])
    name = ".".join(keys)
    said = [f"--set {each}" for each in settings if all(a == b for a, b in zip(_keys(each), keys, strict=False))]
    if item["type"] == "value_error":  # of a section's values together, in the schema's own words
        return f"{', '.join([place, *said])}: {name}\n{item['ctx']['error']}"
    place = said[-1] if said else place
    if item["type"] != "extra_forbidden":
        found = "nothing" if item["type"] == "missing" else repr(item["input"])
        return f"{place}: {name}\nexpected  {expected}\nfound     {found}"
    known = _known_keys(keys[:-1])
    near = get_close_matches(keys[-1], known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
    return f"{place}: unknown key {name}\n{hint}"


def _described(keys: list[str]) -> tuple[list[str], str]:
    """The keys of the config that lead to a value, without pydantic's own, and what is expected there."""
    schema = Config.model_json_schema()
    sections, wanted = schema["$defs"], schema
    for depth, key in enumerate(keys):
        section = sections[wanted["$ref"].rpartition("/")[2]] if "$ref" in wanted else wanted
        if "properties" not in section:
            return keys[:depth], _expectation(wanted)  # what follows is a member of a union, or an item of a list
        wanted = section["properties"].get(key, {})
    return keys, _expectation(wanted)


def _expectation(schema: dict[str, Any]) -> str:
    """What the JSON schema of a value says, in words: `a whole number, at least 1, or 'full'`."""
    if "anyOf" in schema:
        return ", or ".join(_expectation(each) for each in schema["anyOf"] if each != {"type": "null"})
    if "enum" in schema or "const" in schema:
        return " or ".join(repr(value) for value in schema.get("enum", [schema.get("const")]))
    if choices := schema.get("items", {}).get("enum"):
        return f"a list of {', '.join(map(repr, choices))}"
    kind = "a section of keys" if "$ref" in schema else KINDS.get(schema.get("type", ""), "something else")
    return ", ".join([kind, *(words.format(schema[limit]) for limit, words in LIMITS.items() if limit in schema)])


def _known_keys(sections: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for section in sections:
        annotation = model.model_fields[section].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []  # a value, which has no keys
        model = annotation
    return list(model.model_fields)
