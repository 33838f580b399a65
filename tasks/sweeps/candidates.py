"""Which candidates a sweep trains: every combination of the values, or so many drawn ones."""

import itertools
from typing import Any

import numpy as np

from configs.grids import Change, Grid, Range
from configs.loading import ConfigError
from w2v_core.randomness import generator

TRIES = 100  # draws for each candidate that is wanted, before there seem to be no others


def every(grid: Grid) -> list[Change]:
    """Raises ConfigError for a range, of which there is no every, and for a lone candidate."""
    lists: list[list[Any]] = []
    for key, values in grid.items():
        if isinstance(values, Range):
            raise ConfigError(f"--grid {key}={values.low}..{values.high}\na range is drawn from: add --random N")
        lists.append(values)
    found = [dict(zip(grid, row, strict=True)) for row in itertools.product(*lists)]
    if len(found) < 2:
        raise ConfigError(
            "--grid\nexpected  two candidates or more\nfound     one: give a key several values, separated by commas"
        )
    return found


def drawn(grid: Grid, number: int, seed: int) -> list[Change]:
    """So many different candidates, each from a draw of its own: the first ten of twenty are those of ten.

    Raises ConfigError if there are not so many.
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
        f"--random {number}\nexpected  so many different candidates\nfound     {len(found)}\n"
        "Give more values, or leave --random out to train every combination."
    )


def _draw(values: list[Any] | Range, *, rng: np.random.Generator) -> Any:
    """From a list evenly; from a range above 0 evenly on a logarithmic scale, as rates and sizes want it."""
    if isinstance(values, list):
        return values[int(rng.integers(len(values)))]
    low, high = (values.low, values.high + 1) if values.whole else values  # each whole number has a step of its own
    number = low * (high / low) ** rng.random() if low > 0 else rng.uniform(low, high)
    return int(number // 1) if values.whole else min(max(float(f"{number:.4g}"), values.low), values.high)
