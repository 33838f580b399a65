"""Choose the candidates of a sweep: every combination of the values, or a random draw."""

import itertools
from typing import Any

import numpy as np

from configs.grids import Change, Grid, Range
from configs.loading import ConfigError
from w2v_core.randomness import generator

TRIES = 100  # draws per candidate, after which no more distinct ones are expected


def every(grid: Grid) -> list[Change]:
    """Return every combination. Raises ConfigError for a range, which is not a list, or a single candidate."""
    lists: list[list[Any]] = []
    for key, values in grid.items():
        if isinstance(values, Range):
            raise ConfigError(f"--grid {key}={values.low}..{values.high}\na range needs random draws: add --random N")
        lists.append(values)
    found = [dict(zip(grid, row, strict=True)) for row in itertools.product(*lists)]
    if len(found) < 2:
        raise ConfigError(
            "--grid\nexpected  two candidates or more\nfound     one: give a key several values, separated by commas"
        )
    return found


def drawn(grid: Grid, number: int, seed: int) -> list[Change]:
    """Return `number` distinct candidates. Each has a draw of its own: the first ten of twenty are those of ten.

    Raises ConfigError if there are not that many.
    """
    found: list[Change] = []
    for attempt in range(TRIES * number):
        rng = generator(seed, "sweep", attempt)
        change = {key: _draw(values, rng=rng) for key, values in grid.items()}
        if change not in found:
            found.append(change)
        if len(found) == number:
            return found
    raise ConfigError(
        f"--random {number}\nexpected  that many different candidates\nfound     {len(found)}\n"
        "Give more values, or omit --random to train every combination."
    )


def _draw(values: list[Any] | Range, *, rng: np.random.Generator) -> Any:
    """Draw uniformly from a list, or from a range: above 0 log-uniformly, as suits rates and sizes."""
    if isinstance(values, list):
        return values[int(rng.integers(len(values)))]
    low, high = (
        (values.low, values.high + 1) if values.whole else values
    )  # so that every whole number has an interval of its own
    number = low * (high / low) ** rng.random() if low > 0 else rng.uniform(low, high)
    return int(number // 1) if values.whole else min(max(float(f"{number:.4g}"), values.low), values.high)
