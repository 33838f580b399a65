"""Retrain once for each partition of a corpus by date, in order; finished partitions are reused.

Each run trains on all partitions up to its own, as nightly runs would have done, or on its own alone. None is proposed
for promotion: a version that was trained late does not have newer data.
"""

import logging
import os
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from configs.loading import ConfigError
from configs.names import shortened
from configs.schema import Config
from flows.planning.foresight import foresee
from flows.planning.pipeline import Retrained
from flows.planning.plan import already_done, plan
from flows.planning.warm_start import chosen
from tasks.errors import InputError
from tasks.ingestion.sources import missing
from tasks.tracking.session import Tracker

log = logging.getLogger("w2v")


class Partition(NamedTuple):
    """The days for which the pattern gives the same source."""

    day: str  # the first of them, ISO 8601
    source: str


class Filled(NamedTuple):
    partition: Partition
    run: Retrained
    found: bool  # True if an earlier run is reused


def partitions(config: Config, first: date, last: date, *, skip_missing: bool) -> list[Partition]:
    """Return the partitions of the pattern in `ingestion.source`, in order.

    Raises ConfigError if the source has no date in it or `last` is before `first`, and InputError, which lists them, if
    partitions are missing.
    """
    pattern = config.ingestion.source
    if (
        not isinstance(pattern, str)
        or pattern.startswith(("http://", "https://"))
        or first.strftime(pattern) == pattern
    ):
        raise ConfigError(
            "w2v backfill: ingestion.source has no date in it\n"
            "expected  a path or prefix with strftime codes, such as corpus/%Y-%m-%d/*.txt\n"
            f"found     {pattern!r}"
        )
    if last < first:
        raise ConfigError(f"w2v backfill: --to is before --from\nexpected  {first} or later\nfound     {last}")
    days: dict[str, str] = {}
    for number in range((last - first).days + 1):
        day = first + timedelta(number)
        days.setdefault(day.strftime(pattern), day.isoformat())
    wanted = [Partition(day, source) for source, day in days.items()]
    gone = [each for each in wanted if missing(each.source)]
    if gone and (not skip_missing or len(gone) == len(wanted)):
        places = "\n          ".join(f"{each.day}: {each.source}" for each in gone)
        raise InputError(
            f"w2v backfill: {len(gone)} of {len(wanted)} partitions are missing\nmissing   {places}\n"
            "Add them, choose other days, or skip them with --skip-missing."
        )
    for each in gone:
        log.info("- %s is missing and skipped: %s", each.day, each.source)
    return [each for each in wanted if each not in gone]


def backfill(config: Config, wanted: list[Partition], *, alone: bool, serve: Callable[[], None]) -> list[Filled]:
    """Retrain once for each partition; call `serve` before the first that has to run."""
    server_of_ones_own = "PREFECT_API_URL" in os.environ
    tracker = Tracker(config)
    filled: list[Filled] = []
    for number, partition in enumerate(wanted):
        log.info("· %s, %d of %d: %s", partition.day, number + 1, len(wanted), partition.source)
        variant = _variant(config, wanted[number : number + 1] if alone else wanted[: number + 1])
        begun = chosen(variant, tracker).config
        planned = plan(begun)
        foresee(begun, tracker, planned)
        done = None if server_of_ones_own else already_done(begun, tracker, planned)
        if done:
            log.info("nothing to do: run %s already holds this result", done.run_id)
        else:
            serve()
            from flows.retrain import retrain  # imports Prefect, which reads its server's address at import

        filled.append(Filled(partition, done or retrain(variant), found=done is not None))
    return filled


def _variant(config: Config, learnt: list[Partition]) -> Config:
    source = config.ingestion.model_copy(update={"source": [each.source for each in learnt]})
    by_hand = config.promotion.model_copy(update={"automatic": False})
    name = shortened(f"{config.name} {learnt[-1].day}")
    return config.model_copy(update={"name": name, "ingestion": source, "promotion": by_hand})
