"""From `--grid section.key=value,value…` to the values of a sweep, with errors in the words of loading.py."""

import re
import tomllib
from collections.abc import Iterable
from typing import Any, NamedTuple

from configs.loading import ConfigError, check, fitting, put, value_of
from configs.schema import Config

NUMBER = r"\s*([-+.\deE_]*\d\.?)\s*"
RANGE = re.compile(rf"{NUMBER}\.\.{NUMBER}")
# a sweep compares what has been learnt; these change nothing in it, or are no setting
REASONS = {
    "seed": "a seed is luck and not a setting: `w2v retrain --seeds 3` measures what it does",
    "evaluation": "evaluation judges what was learnt and does not change it",
    "promotion": "promotion decides about a result and does not change it",
    "schedule": "a schedule cannot change a result",
    "tracking": "tracking cannot change a result",
    "runtime": "runtime cannot change a result",
    "notify": "notify cannot change a result",
    "retention": "retention cannot change a result",
    "name": "a name cannot change a result",
    "version": "there is one version of the config",
}
Change = dict[str, Any]  # section.key → its value: what sets a candidate apart from the config of the sweep


class Range(NamedTuple):
    """Every number between two; whole numbers if both ends are."""

    low: float
    high: float

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


Grid = dict[str, "list[Any] | Range"]


def read(entries: Iterable[str]) -> Grid:
    """The values that each key may have. Raises ConfigError for what is no list of values, or cannot be compared."""
    grid: Grid = {}
    for entry in entries:
        key, equals, text = (part.strip() for part in entry.partition("="))
        said = f"--grid {entry}"
        if not (equals and key):
            raise ConfigError(f"{said}\nexpected  section.key=value,value…, such as training.learning_rate=0.01,0.025")
        if reason := REASONS.get(key.partition(".")[0]):
            raise ConfigError(f"{said}\n{reason}")
        if key in grid:
            raise ConfigError(f"{said}\n{key} is named twice: give all its values at once, separated by commas")
        grid[key] = _values(key, text, said)
    return grid


def changed(config: Config, change: Change) -> Config:
    """The candidate. Raises ConfigError, which names the change, if it has an unknown key or an impossible value."""
    values, said = config.model_dump(), f"--grid {described(change)}"
    for key, value in change.items():
        put(values, key.split("."), value, said)
    return check(values, said)


def described(change: Change) -> str:
    """`training.learning_rate=0.05 windows.window=3`"""
    return " ".join(f"{key}={value}" for key, value in change.items())


def _values(key: str, text: str, said: str) -> list[Any] | Range:
    if ends := RANGE.fullmatch(text):
        low, high = map(value_of, ends.groups())
        if not (isinstance(low, int | float) and isinstance(high, int | float) and low < high):
            raise ConfigError(f"{said}\nexpected  a range from a smaller to a larger number, such as 0.01..0.1")
        return Range(low, high)
    parts = [part.strip() for part in text.split(",")]
    try:
        table = tomllib.loads(f"values = [{text}]")
        values: list[Any] = table["values"] if len(table) == 1 else parts
    except (ValueError, RecursionError):  # TOMLDecodeError is one, a number of 5,000 digits another
        values = [value_of(part) for part in parts]
    if len(values) == len(parts):
        values = [fitting(key.split("."), value, part) for value, part in zip(values, parts, strict=True)]
    if not values or "" in values:
        raise ConfigError(f"{said}\nexpected  values separated by commas\nfound     {text or 'nothing'}")
    if twice := [value for number, value in enumerate(values) if value in values[:number]]:
        raise ConfigError(f"{said}\nexpected  different values\nfound     {twice[0]!r} twice")
    return values
