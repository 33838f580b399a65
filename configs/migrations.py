"""The config that a run has logged, also one of an older version of this project.

The version is raised when a key changes its name or its meaning, and a migration from the one before is added here.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

from configs.loading import ConfigError, check
from configs.schema import VERSION, Config

Values = dict[str, Any]
MIGRATIONS: dict[int, Callable[[Values], Values]] = {0: lambda values: values}  # from n to n + 1; 0 was not numbered

log = logging.getLogger("w2v")


def read(text: str, place: str) -> Config:
    """A run's config.json as today's config. Raises ConfigError if it is no config, or one of a newer version."""
    try:
        values: Values = json.loads(text)
        found = int(values.pop("version", 0))
    except (ValueError, TypeError, AttributeError):
        raise ConfigError(f"{place} is not a config that a run has logged") from None
    if not 0 <= found <= VERSION:
        raise ConfigError(
            f"{place}: a config of version {found}\nexpected  version {VERSION} or older\n"
            "A newer w2v has logged it: the run's tag `w2v.version` names the one that reads it."
        )
    for version in range(found, VERSION):
        values = MIGRATIONS[version](values)
    if found < VERSION:
        log.warning("%s: a config of version %d, read as one of version %d", place, found, VERSION)
    return check(values, place)
