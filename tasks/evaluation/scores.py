"""Compute scores with confidence intervals from judged items: overall, and by frequency of the words."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.engine.facts import Band
from tasks.tracking.names import (
    ANALOGY_ADD,
    ANALOGY_MUL,
    CATEGORY,
    CLOSER,
    COVERAGE,
    GAIN,
    HIGH,
    HIT_RATE,
    LOW,
    RECIPROCAL_RANK,
    SIMILARITY,
)
from w2v_core.measures.bootstrap import Estimate, mean, share, spearman
from w2v_core.measures.recommendation import GAINS, gain
from w2v_core.randomness import generator

METRICS = {  # by judge; a session is judged in three ways
    "similarity": SIMILARITY,
    "3cosadd": ANALOGY_ADD,
    "3cosmul": ANALOGY_MUL,
    "closer": CLOSER,
    "category": CATEGORY,
    "session.hit_rate": HIT_RATE,
    "session.mrr": RECIPROCAL_RANK,
    "session.ndcg": GAIN,
}
BANDS = {"frequent": 1_000, "middle": 10_000, "rare": None}  # upper limit of the rank of an item's rarest word


class Asked(NamedTuple):
    """The items of one set by one judge, in the order of the set."""

    set: str
    judge: str
    items: pa.Table

    @property
    def metric(self) -> str:
        return METRICS[self.judge].format(set=self.set)


def asked(items: pa.Table) -> Iterator[Asked]:
    """Yield the items of each set and judge; neighbours of probes are skipped, since they have no score."""
    found = items.select(["set", "judge"]).group_by(["set", "judge"], use_threads=False).aggregate([]).to_pylist()
    for each in found:
        for judge in METRICS:
            if judge.partition(".")[0] == each["judge"]:
                chosen = pc.and_(pc.equal(items["set"], each["set"]), pc.equal(items["judge"], each["judge"]))
                yield Asked(each["set"], judge, items.filter(chosen))


def figures(items: pa.Table, resamples: int, seed: int) -> dict[str, float]:
    """Return the score of every set, its 95% interval, and the share of the set's items that are covered."""
    metrics: dict[str, float] = {}
    for each in asked(items):
        rng = generator(seed, f"evaluation/{each.metric}")
        if found := estimate(each, each.items.filter(each.items["covered"]), resamples, rng=rng):
            name = each.metric.split("/")[1]
            metrics |= {
                each.metric: found.value,
                LOW.format(score=name): found.low,
                HIGH.format(score=name): found.high,
            }
    sets = dict.fromkeys(each.set for each in asked(items))
    covered = {name: items.filter(pc.equal(items["set"], name))["covered"] for name in sets}
    return metrics | {COVERAGE.format(set=name): _mean(each) for name, each in covered.items()}


def bands(items: pa.Table, resamples: int, seed: int) -> list[Band]:
    """Return the same for each frequency band with enough items."""
    found: list[Band] = []
    for each in asked(items):
        for band, inside in by_band(each.items["rank"]):
            chosen = each.items.filter(pc.and_(each.items["covered"], inside))
            rng = generator(seed, f"evaluation/{each.metric}/{band}")
            if figure := estimate(each, chosen, resamples, rng=rng):
                value, low, high = figure
                found.append(Band(score=each.metric, band=band, items=len(chosen), value=value, low=low, high=high))
    return found


def by_band(rank: pa.ChunkedArray) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield each band with a mask of the ranks in it."""
    first = 0
    for band, last in BANDS.items():
        yield band, pc.and_(pc.greater_equal(rank, first), pc.less(rank, last or np.iinfo(np.int32).max))
        first = last or first


def estimate(of: Asked, chosen: pa.Table, resamples: int, *, rng: np.random.Generator) -> Estimate | None:
    """Return Spearman's ρ with human scores, the mean gain of sessions, or the share of right answers.

    None if there are too few items.
    """
    if of.judge == "similarity":
        return spearman(chosen["target"].to_numpy(), chosen["score"].to_numpy(), resamples, rng=rng)
    if (found := gains(of.judge, chosen)) is not None:
        return mean(found, resamples, rng=rng)
    return share(pc.sum(chosen["right"]).as_py() or 0, len(chosen), resamples, rng=rng)


def gains(judge: str, chosen: pa.Table) -> NDArray[np.float64] | None:
    """Return what each session counts for by `session.mrr` or `session.ndcg`; None for what is right or wrong."""
    kind = judge.removeprefix("session.")
    if kind not in GAINS or kind == "hit_rate":
        return None
    return gain(kind, chosen["score"].to_numpy(), chosen["right"].to_numpy()).astype(np.float64)


def _mean(column: pa.ChunkedArray) -> float:
    return float(pc.mean(column).as_py())
