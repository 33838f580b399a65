"""Read the config that a run has logged, also one of an older version of this project.

When a key changes its name or meaning, the version is raised, and a migration from the previous version is added here.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

from configs.loading import ConfigError, check
from configs.schema import VERSION, Config

Values = dict[str, Any]
MIGRATIONS: dict[int, Callable[[Values], Values]] = {
    0: lambda values: values
}  # from version n to n + 1; version 0 had no number

log = logging.getLogger("w2v")


def read(text: str, place: str) -> Config:
    """Convert a run's config.json to the current version. Raises ConfigError if it is not a config or is newer."""
    try:
        values: Values = json.loads(text)
        found = int(values.pop("version", 0))
    except (ValueError, TypeError, AttributeError):
        raise ConfigError(f"{place} is not a config logged by a run") from None
    if not 0 <= found <= VERSION:
        raise ConfigError(
            f"{place}: a config of version {found}\nexpected  version {VERSION} or older\n"
            "It was logged by a newer w2v: use the version in the run's tag `w2v.version`."
        )
    for version in range(found, VERSION):
        values = MIGRATIONS[version](values)
    if found < VERSION:
        log.warning("%s: a config of version %d, converted to version %d", place, found, VERSION)
    return check(values, place)
