"""Make the log of a small shop that does not exist, for the tutorial on items and for `benchmarks/items.py`.

    python -m benchmarks.shop FILE.csv --sessions 4000

A visitor comes for one to three purposes, looks mostly at what serves them, and now and then at anything. What is
popular is looked at more often. The same seed gives the same file.
"""

import argparse
import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

PURPOSES = [
    "coffee",
    "tea",
    "baking",
    "pasta",
    "breakfast",
    "cheese",
    "wine",
    "beer",
    "salad",
    "soup",
    "barbecue",
    "sushi",
    "taco",
    "curry",
    "picnic",
    "birthday",
    "cleaning",
    "laundry",
    "garden",
    "camping",
    "cycling",
    "running",
    "yoga",
    "painting",
    "sewing",
    "baby",
    "cat",
    "dog",
    "fish tank",
    "office",
    "school",
    "travel",
    "car",
    "bath",
    "shaving",
    "dental",
    "first aid",
    "candle",
    "light",
    "tool",
]
KINDS = [
    "starter set",
    "refill, 2 pcs.",
    "refill, 10 pcs.",
    "box (small)",
    "box (large)",
    "bag",
    "deluxe kit",
    "mat",
    "holder",
    "book",
    "gift card, 20 €",
    "towel",
    "jar",
    "brush",
    "timer",
    "cover",
    "stand",
    "spare part #1",
    "spare part #2",
    "label",
    "lamp",
    "tray",
    "bowl",
    "cup",
    "knife",
    "board",
    "cloth",
    "filter",
    "clip",
    "hook",
]
ITEMS = [f"{purpose.capitalize()} {kind}" for purpose in PURPOSES for kind in KINDS]
ASIDE = 0.1  # share of looks that serve no purpose of the visitor
LENGTH = 6  # looks of a session, on average
OPENING = datetime(2026, 1, 1)


def sessions(number: int, seed: int = 1) -> Iterator[list[str]]:
    """Yield sessions of two items or more, each a list of names."""
    rng = np.random.default_rng(seed)
    popular = 1 / np.arange(1, len(KINDS) + 1) ** 0.6
    within = np.stack([rng.permutation(popular) for _ in PURPOSES])
    within /= within.sum(axis=1, keepdims=True)
    overall = rng.permutation(1 / np.arange(1, len(PURPOSES) + 1) ** 0.5)
    overall /= overall.sum()
    for _ in range(number):
        purposes = rng.choice(len(PURPOSES), rng.integers(1, 4), replace=False, p=overall)
        looks = rng.choice(purposes, 2 + rng.poisson(LENGTH - 2))
        aside = rng.random(len(looks)) < ASIDE
        looks[aside] = rng.integers(len(PURPOSES), size=aside.sum())
        yield [ITEMS[each * len(KINDS) + rng.choice(len(KINDS), p=within[each])] for each in looks]


def write(file: Path, number: int, seed: int = 1) -> None:
    """Write a row per look: session, time, item. Sessions overlap in time, as in the log of a server."""
    rng = np.random.default_rng(seed + 1)
    rows = []
    for session, items in enumerate(sessions(number, seed)):
        time = OPENING + timedelta(minutes=float(session) + 10 * rng.random())
        for item in items:
            rows.append((time.isoformat(timespec="seconds"), f"s{session:06d}", item))
            time += timedelta(seconds=float(rng.integers(5, 300)))
    with open(file, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["time", "session_id", "item_id"])
        writer.writerows(sorted(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--sessions", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    write(given.file, given.sessions, given.seed)
