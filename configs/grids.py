"""Parse `--grid section.key=value,value…` into the values of a sweep; errors have the form of loading.py's."""

import re
import tomllib
from collections.abc import Iterable
from typing import Any, NamedTuple

from configs.loading import ConfigError, check, fitting, put, value_of
from configs.schema import Config

NUMBER = r"\s*([-+.\deE_]*\d\.?)\s*"
RANGE = re.compile(rf"{NUMBER}\.\.{NUMBER}")
# a sweep compares trained vectors: these keys do not change them, or are not settings to choose
REASONS = {
    "seed": "a seed is not a setting to choose: `w2v retrain --seeds 3` measures its effect",
    "evaluation": "evaluation judges the vectors and does not change them",
    "promotion": "promotion decides about a result and does not change it",
    "schedule": "a schedule cannot change a result",
    "tracking": "tracking cannot change a result",
    "runtime": "runtime cannot change a result",
    "notify": "notify cannot change a result",
    "retention": "retention cannot change a result",
    "name": "a name cannot change a result",
    "version": "there is one version of the config",
}
Change = dict[str, Any]  # section.key → its value: how a candidate differs from the config of the sweep


class Range(NamedTuple):
    """All numbers from `low` to `high`; only whole numbers if both ends are whole."""

    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Return True if only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Grid = dict[str, "list[Any] | Range"]


def read(entries: Iterable[str]) -> Grid:
    """Return the values to try for each key. Raises ConfigError for an invalid list or a key without an effect."""
    grid: Grid = {}
    for entry in entries:
        key, equals, text = (part.strip() for part in entry.partition("="))
        said = f"--grid {entry}"
        if not (equals and key):
            raise ConfigError(f"{said}\nexpected  section.key=value,value…, such as training.learning_rate=0.01,0.025")
        if reason := REASONS.get(key.partition(".")[0]):
            raise ConfigError(f"{said}\n{reason}")
        if key in grid:
            raise ConfigError(f"{said}\n{key} is named twice: give all its values in one list, separated by commas")
        grid[key] = _values(key, text, said)
    return grid


def changed(config: Config, change: Change) -> Config:
    """Return the config with a candidate's change. Raises ConfigError for an unknown key or an invalid value."""
    values, said = config.model_dump(), f"--grid {described(change)}"
    for key, value in change.items():
        put(values, key.split("."), value, said)
    return check(values, said)


def described(change: Change) -> str:
    """Return a change as text, such as `training.learning_rate=0.05 windows.window=3`."""
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
    except (ValueError, RecursionError):  # not TOML, a number of 5,000 digits, or nested too deeply
        values = [value_of(part) for part in parts]
    if len(values) == len(parts):
        values = [fitting(key.split("."), value, part) for value, part in zip(values, parts, strict=True)]
    if not values or "" in values:
        raise ConfigError(f"{said}\nexpected  values separated by commas\nfound     {text or 'nothing'}")
    if twice := [value for number, value in enumerate(values) if value in values[:number]]:
        raise ConfigError(f"{said}\nexpected  different values\nfound     {twice[0]!r} twice")
    return values
