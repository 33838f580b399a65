"""Read a TOML file and `--set section.key=value` into a checked config; errors say what to change."""

import functools
import tomllib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from configs.addresses import shown
from configs.names import CONTROL, shortened
from configs.schema import Config

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "array": "a list of texts",
    "object": "a table",
}  # JSON's types in words
LIMITS = {
    "minimum": "at least {:,}",
    "exclusiveMinimum": "above {:,}",
    "maximum": "at most {:,}",
    "exclusiveMaximum": "below {:,}",
    "pattern": "matching {}",
    "minLength": "not empty",
    "maxLength": "of at most {:,} characters",
    "minItems": "not empty",
}  # JSON schemas' limits in words
LARGEST = 1_000_000  # bytes of a config
SHOWN = 200  # characters of a value that an error shows
TELLING = ("tokenization.", "vocabulary.", "windows.", "training.", "seed=")  # changes that become part of a run's name


class ConfigError(ValueError):
    """The config has an unknown key, an invalid value, or names a file that does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


def load(path: str | Path | None, settings: Iterable[str] = ()) -> Config:
    """Return the config in `path`, or the defaults without one, changed by settings such as `training.epochs=3`.

    Settings that change the vectors are added to its name, which distinguishes its run from others. Raises ConfigError,
    which names each wrong key, its place, what was expected and found, and the nearest known key.
    """
    settings = list(settings)
    content = values(Path(path)) if path else {}
    config = check(set_values(content, settings), str(path or "the defaults"), settings)
    changes = [setting.partition(".")[2] or setting for setting in settings if setting.startswith(TELLING)]
    named = any(setting.startswith("name=") for setting in settings)
    name = config.name if named or not changes else shortened(CONTROL.sub(" ", " ".join([config.name, *changes])))
    return config.model_copy(update={"name": name})


def values(path: Path) -> dict[str, Any]:
    """Read the values of a TOML file. Raises ConfigError if it cannot be read or is not TOML."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ConfigError(f"{path} is not a config\nexpected  a TOML file\nfound     a pipe, a socket or a device")
    text = "" if path.suffix == ".toml" else f"\nTo train on this text: --set ingestion.source={path}"
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ConfigError(
                f"{path} is not a config\nexpected  TOML of a few lines\nfound     over {LARGEST:,} bytes{text}"
            )
        return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("*.toml"))) or "none in ./configs"
        raise ConfigError(
            f"{path}: cannot read this config ({error.strerror}).\nKnown configs: {known}\nName a TOML file."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not TOML: byte {error.start} is not UTF-8\nSave it as UTF-8 in your editor.{text}"
        ) from None
    except (ValueError, RecursionError) as error:  # not TOML, a number of 5,000 digits, or nested too deeply
        why = "its brackets are nested too deeply" if isinstance(error, RecursionError) else error
        raise ConfigError(
            f"{path} is not TOML: {why}\nCorrect that place; configs/quickstart.toml is an example.{text}"
        ) from None


def check(values: dict[str, Any], place: str, settings: Sequence[str] = ()) -> Config:
    """Return the checked config; errors name `place`, or the setting that changed the value. Raises ConfigError."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        sentences = (_sentence(item, place, settings) for item in error.errors())
        lines = dict.fromkeys(sentences)  # a union gives one error for each of its members
        raise ConfigError("\n".join([*lines, "configs/schema.py describes every key."])) from None


def check_once(settings: Iterable[str]) -> None:
    """Raise ConfigError if a key is set to two different values."""
    said: dict[str, str] = {}
    for setting in settings:
        key, _, text = (part.strip() for part in setting.partition("="))
        if said.setdefault(key, text) != text:
            raise ConfigError(
                f"--set {shown(setting)}\nexpected  each key once\n"
                f"found     {key} twice, before as {shown(said[key])}\nRemove one of them."
            )


def set_values(values: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return the values, changed by each `section.key=value`. Raises ConfigError for a malformed setting."""
    for setting in settings:
        _set(values, setting)
    return values


def _set(values: dict[str, Any], setting: str) -> None:
    _, equals, text = setting.partition("=")
    keys = _keys(setting)
    if not equals or not all(keys):
        raise ConfigError(
            f"--set {shown(setting)}\nexpected  section.key=value, such as training.epochs=3\n"
            f"found     {'no key' if equals else 'no ='}\nWrite the key, = and the value, without blanks between them."
        )
    put(values, keys, fitting(keys, value_of(text.strip()), text.strip()), f"--set {shown(setting)}")


def put(values: dict[str, Any], keys: Sequence[str], value: Any, said: str) -> None:
    """Change one value. Raises ConfigError, which begins with `said`, if a key on the way to it is not a section."""
    *sections, key = keys
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(
                f"{said}\n`{section}` is a value, not a section\nName the key alone: {'.'.join(sections)}=VALUE"
            )
    if isinstance(value, dict) and isinstance(values.get(key), dict):
        values[key] = {**values[key], **value}  # the section's other keys are kept
    else:
        values[key] = value


def value_of(text: str) -> Any:
    """Return the text as a TOML value, or unchanged if it is not TOML: paths and words need no quotes."""
    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # not TOML, a number of 5,000 digits, or nested too deeply
        return text
    return values["value"] if len(values) == 1 else text  # a text of several lines is not one value


def fitting(keys: Sequence[str], value: Any, text: str) -> Any:
    """Return the value, or the text as typed if the key takes texts: a name may be 2024."""
    if isinstance(value, str | list | dict):
        return value
    path, schema = _schema(list(keys))
    kinds = {each.get("type") for each in schema.get("anyOf", [schema])}
    takes_texts = len(path) == len(keys) and "string" in kinds and not kinds & {"integer", "number", "boolean"}
    return text if takes_texts else value


def _keys(setting: str) -> list[str]:
    return setting.partition("=")[0].strip().split(".")


def _sentence(item: Any, place: str, settings: Sequence[str]) -> str:
    keys, expected = _described([str(key) for key in item["loc"]])
    name = ".".join(keys)
    said = [f"--set {shown(each)}" for each in settings if all(a == b for a, b in zip(_keys(each), keys, strict=False))]
    if item["type"] == "value_error":  # raised by a validator of schema.py, with its own message
        places = [place, *said] if "$ref" in _schema(keys)[1] else said[-1:] or [place]
        return f"{', '.join(places)}: {name}\n{item['ctx']['error']}"
    place = said[-1] if said else place
    if item["type"] != "extra_forbidden":
        found = "nothing" if item["type"] == "missing" else _shown(item["input"])
        return f"{place}: {name}\nexpected  {expected}\nfound     {found}"
    known = _known_keys(keys[:-1])
    near = get_close_matches(keys[-1], known, n=1, cutoff=0.5)
    elsewhere = [section for section in known if keys[-1] in _known_keys([section])] if len(keys) == 1 else []
    near = [f"{elsewhere[0]}.{keys[-1]}"] if elsewhere else near
    hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
    return f"{place}: unknown key {name}\n{hint}"


def _described(keys: list[str]) -> tuple[list[str], str]:
    """Return the config's keys that lead to a value, without pydantic's additions, and what is expected there."""
    path, schema = _schema(keys)
    return path, _expectation(schema)


def _schema(keys: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the config's keys that lead to a value, and the value's JSON schema."""
    schema = _of_config()
    sections, wanted = schema["$defs"], schema
    for depth, key in enumerate(keys):
        section = sections[wanted["$ref"].rpartition("/")[2]] if "$ref" in wanted else wanted
        if "properties" not in section:
            return keys[:depth], wanted  # the rest names a member of a union, or an item of a list
        wanted = section["properties"].get(key, {})
    return keys, wanted


@functools.cache
def _of_config() -> dict[str, Any]:
    return Config.model_json_schema()


def _shown(value: Any) -> str:
    """Return the value as Python writes it, cut if it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of 5,000 digits, or 5,000 nested lists
        return "a value too long to show"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text):,} characters)"


def _expectation(schema: dict[str, Any]) -> str:
    """Return the JSON schema of a value in words, such as `a whole number, at least 1, or 'full'`."""
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
            return []  # a value, not a section
        model = annotation
    return list(model.model_fields)
