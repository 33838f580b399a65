"""From a TOML file and `--set section.key=value` to a checked config, with errors that name the way out."""

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
}  # of JSON's types
LIMITS = {
    "minimum": "at least {:,}",
    "exclusiveMinimum": "above {:,}",
    "maximum": "at most {:,}",
    "exclusiveMaximum": "below {:,}",
    "pattern": "matching {}",
    "minLength": "not empty",
    "maxLength": "of at most {:,} characters",
    "minItems": "not empty",
}  # of JSON schemas
LARGEST = 1_000_000  # bytes of a config
SHOWN = 200  # characters of a value in an error
TELLING = ("tokenization.", "vocabulary.", "windows.", "training.", "seed=")  # what a run is told from others by


class ConfigError(ValueError):
    """The config names an unknown key, an impossible value, or a file that is not there."""

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


def load(path: str | Path | None, settings: Iterable[str] = ()) -> Config:
    """The config of `path`, or the defaults where there is none, changed by settings such as `training.epochs=3`.

    What the settings change is added to its name, so that its run can be told from others at a glance.

    Raises ConfigError, which names each wrong key and where it was said, what was expected, what was found, and the
    nearest known key.
    """
    settings = list(settings)
    values = _values(Path(path)) if path else {}
    config = check(set_values(values, settings), str(path or "the defaults"), settings)
    changes = [setting.partition(".")[2] or setting for setting in settings if setting.startswith(TELLING)]
    named = any(setting.startswith("name=") for setting in settings)
    name = config.name if named or not changes else shortened(CONTROL.sub(" ", " ".join([config.name, *changes])))
    return config.model_copy(update={"name": name})


def _values(path: Path) -> dict[str, Any]:
    """What the TOML of the file says."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ConfigError(f"{path} is no config\nexpected  a TOML file\nfound     a pipe, a socket or a device")
    text = "" if path.suffix == ".toml" else f"\nA text to learn from: --set ingestion.source={path}"
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ConfigError(
                f"{path} is no config\nexpected  TOML of a few lines\nfound     over {LARGEST:,} bytes{text}"
            )
        return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("*.toml"))) or "none here"
        raise ConfigError(
            f"{path}: cannot read this config ({error.strerror}).\nKnown configs: {known}\nName a TOML file."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not TOML: byte {error.start} is not UTF-8\nSave it as UTF-8 in your editor.{text}"
        ) from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one, a number of 5,000 digits another
        why = "its brackets are nested too deeply" if isinstance(error, RecursionError) else error
        raise ConfigError(
            f"{path} is not TOML: {why}\nMend that place; configs/quickstart.toml is an example.{text}"
        ) from None


def check(values: dict[str, Any], place: str, settings: Sequence[str] = ()) -> Config:
    """The config that `values` describe: they are from `place`, except for what the settings have changed."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        sentences = (_sentence(item, place, settings) for item in error.errors())
        lines = dict.fromkeys(sentences)  # a union has an error for each member
        raise ConfigError("\n".join([*lines, "What each key takes is in configs/schema.py."])) from None


def check_once(settings: Iterable[str]) -> None:
    """Raises ConfigError for a key that is set to two values, of which either may be meant."""
    said: dict[str, str] = {}
    for setting in settings:
        key, _, text = (part.strip() for part in setting.partition("="))
        if said.setdefault(key, text) != text:
            raise ConfigError(
                f"--set {shown(setting)}\nexpected  each key once\n"
                f"found     {key} twice, before as {shown(said[key])}\nLeave one of them out."
            )


def set_values(values: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """The values, changed by each `section.key=value`. Raises ConfigError for what is no such setting."""
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
    """Change one value. Raises ConfigError, which begins with what was `said`, if the way to it is no section."""
    *sections, key = keys
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(
                f"{said}\n`{section}` is a value, not a section\nName the key alone: {'.'.join(sections)}=VALUE"
            )
    if isinstance(value, dict) and isinstance(values.get(key), dict):
        values[key] = {**values[key], **value}  # what the section says besides stays
    else:
        values[key] = value


def value_of(text: str) -> Any:
    """A TOML value, or the text itself where it is none: paths and words need no quotes."""
    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # TOMLDecodeError is one, a number of 5,000 digits another
        return text
    return values["value"] if len(values) == 1 else text  # of several lines, the first alone is no value


def fitting(keys: Sequence[str], value: Any, text: str) -> Any:
    """The value, or the text as it was typed where the key wants a text: a name may be 2024."""
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
    if item["type"] == "value_error":  # of a section's values together, in the schema's own words
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
    """The keys of the config that lead to a value, without pydantic's own, and what is expected there."""
    path, schema = _schema(keys)
    return path, _expectation(schema)


def _schema(keys: list[str]) -> tuple[list[str], dict[str, Any]]:
    """The same with the JSON schema of the value."""
    schema = _of_config()
    sections, wanted = schema["$defs"], schema
    for depth, key in enumerate(keys):
        section = sections[wanted["$ref"].rpartition("/")[2]] if "$ref" in wanted else wanted
        if "properties" not in section:
            return keys[:depth], wanted  # what follows is a member of a union, or an item of a list
        wanted = section["properties"].get(key, {})
    return keys, wanted


@functools.cache
def _of_config() -> dict[str, Any]:
    return Config.model_json_schema()


def _shown(value: Any) -> str:
    """As Python writes it, cut where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of 5,000 digits, 5,000 lists within each other
        return "a value too long to be shown"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text):,} characters)"


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
