"""Rank the candidates of a sweep, and measure which settings made the difference."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.grids import Change, described
from configs.loading import ConfigError
from configs.schema import Evaluation, Tokenization
from tasks.errors import InputError
from tasks.evaluation.datasets import judging_files, set_names
from tasks.evaluation.scores import METRICS
from tasks.evaluation.sessions import SETS
from tasks.tracking.names import GROUPS, LOSS

# J(θ) is a mean over windows and their words: with other words or windows it is a different quantity
OTHER_WINDOWS = ("ingestion.", "tokenization.", "vocabulary.", "windows.")
SAME_WINDOWS = {"vocabulary.subsample", "windows.shard_rows"}
SAME_SESSIONS = {*SAME_WINDOWS, "windows.window", "windows.shrink", "windows.bound"}
SESSIONS = "sessions/"
TEXT = Tokenization()
FEWEST = 2  # candidates per group, on average, below which no share is computed
PARTS = 3  # groups into which many distinct numbers are binned


class Result(NamedTuple):
    """How far one candidate was trained, and its scores."""

    change: Change
    rung: int
    epochs: int
    run_id: str  # "" if the training diverged
    metrics: dict[str, float]


class Mattered(NamedTuple):
    """How much of the differences between the candidates one key explains."""

    key: str
    share: float | None  # of the variance of the ranks, corrected for chance; None with too few candidates


class Sweep(NamedTuple):
    """Results, best first, and keys, the one that mattered most first."""

    by: str
    ranked: list[Result]
    first: list[Result]  # the first rung, which trained all candidates
    explained: str  # the score of the first rung
    mattered: list[Mattered]

    @property
    def best(self) -> Result:
        return self.ranked[0]

    @property
    def keys(self) -> list[str]:
        return list(self.best.change)

    @property
    def scores(self) -> list[str]:
        """Return the score that ranks the candidates, then the others that are comparable between all."""
        same = {*GROUPS, *([LOSS] if comparable(self.keys) else [])}
        if not comparable(self.keys, SESSIONS):
            same -= {SESSIONS.rstrip("/")}
        judged = {name for each in self.ranked for name in each.metrics if same & {name, name.split("/")[0]}}
        return [self.by, *sorted(judged - {self.by})]


def judged(evaluation: Evaluation, tokenization: Tokenization) -> list[str]:
    """Return the scores that a run with these sets will have, and with items by its held-out sessions."""
    judges = {"similarity": evaluation.similarity, "domain": evaluation.domain, "sessions": []}
    sets = [(judges.get(metric.split("/")[0], evaluation.analogies), metric) for metric in METRICS.values()]
    names = dict(zip(judging_files(evaluation), set_names(judging_files(evaluation)), strict=True))
    found = [metric.format(set=names[file]) for judging, metric in sets for file in judging]
    return [*found, *(of_sessions() if tokenization.kind == "items" else [])]


def of_sessions() -> list[str]:
    """Return the scores by held-out sessions."""
    return [metric.format(set=name) for metric in METRICS.values() if metric.startswith(SESSIONS) for name in SETS]


def check_score(by: str, keys: Sequence[str], evaluation: Evaluation, tokenization: Tokenization = TEXT) -> None:
    """Raises ConfigError if there will be no such score, or if it is not comparable between the candidates."""
    known = [LOSS, *judged(evaluation, tokenization)]
    if by not in known:
        raise ConfigError(
            f"--by {by}\nexpected  one of {', '.join(known)}\nfound     a score that no run of this sweep will have"
        )
    if by.startswith((LOSS, SESSIONS)) and not comparable(keys, by):
        others = ", ".join(key for key in keys if not comparable([key], by))
        what = "J(θ)" if by == LOSS else by
        raise ConfigError(
            f"--by {by}\n{what} cannot be compared: with another {others} it judges other words or windows\n"
            f"Rank by an evaluation set: --by {' or '.join(known[1:]) or 'SCORE, with evaluation.similarity=FILE'}"
        )


def comparable(keys: Sequence[str], score: str = LOSS) -> bool:
    """Return True if J(θ), or a score by held-out sessions, has one definition under all these keys.

    A CBOW window predicts one word, not several, but recommends to the same sessions.
    """
    same = SAME_WINDOWS if score == LOSS else SAME_SESSIONS
    other = any(key.startswith(OTHER_WINDOWS) and key not in same for key in keys)
    return not other and (score != LOSS or "training.architecture" not in keys)


def loss(result: Result, by: str) -> float:
    """Return the score as a loss: lower is better, infinite if diverged. Raises InputError if it was not measured."""
    if not result.run_id:
        return float("inf")
    if by not in result.metrics:
        raise InputError(
            f"run {result.run_id} ({described(result.change)}) has no {by}\n"
            "No window was held out, or too few items are covered: raise windows.held_out_fraction, or choose another "
            "score with --by."
        )
    return result.metrics[by] if by == LOSS else -result.metrics[by]


def ranked(results: Sequence[Result], by: str) -> list[Result]:
    """Sort the results: first those trained for longer, then by score; diverged ones last.

    Stopped candidates have only J(θ).
    """
    score = {False: LOSS, True: by}
    return sorted(results, key=lambda each: (not each.run_id, -each.rung, loss(each, score[by in each.metrics])))


def sum_up(trained: Sequence[Sequence[Result]], by: str) -> Sweep:
    """Combine the results of all rungs: the last result of each candidate, and from the first rung what mattered."""
    last = [
        result
        for rung, results in enumerate(trained)
        for result in results
        if rung + 1 == len(trained) or result.change not in [each.change for each in trained[rung + 1]]
    ]
    explained = by if len(trained) == 1 else LOSS
    return Sweep(by, ranked(last, by), list(trained[0]), explained, mattered(trained[0], explained))


def mean_ranks(sweep: Sweep) -> list[float]:
    """Return the mean rank of each result within its rung, over the scores that all of them have."""
    means = [float("nan")] * len(sweep.ranked)
    for rung in {result.rung for result in sweep.ranked}:
        rows = [row for row, each in enumerate(sweep.ranked) if each.rung == rung and each.run_id]
        peers = [sweep.ranked[row] for row in rows]
        scores = [score for score in sweep.scores if all(score in each.metrics for each in peers)]
        table = [_ranks([loss(each, score) for each in peers]) for score in scores]
        for row, mean in zip(rows, np.mean(table, axis=0), strict=True) if table else ():
            means[row] = float(mean)
    return means


def mattered(results: Sequence[Result], by: str) -> list[Mattered]:
    """Return the keys, the most influential first. Ranks are used, since one bad value would dominate the rest."""
    done = [result for result in results if result.run_id]
    ranks = _ranks([loss(result, by) for result in done])
    found = [Mattered(key, explained(ranks, [result.change[key] for result in done])) for key in results[0].change]
    return sorted(found, key=lambda each: -1 if each.share is None else each.share, reverse=True)


def explained(ranks: NDArray[np.float64], values: Sequence[Any]) -> float | None:
    """Return ε² = 1 − (within groups / (n − k)) / (total / (n − 1)), around 0 by chance; negative values become 0."""
    groups = _groups(values)
    n, k = len(ranks), len(set(groups))
    everything = float(((ranks - ranks.mean()) ** 2).sum()) if n else 0.0
    if n < FEWEST * k or k < 2 or everything == 0:
        return None
    parts = [ranks[np.array(groups) == group] for group in set(groups)]
    within = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
    return max(0.0, 1 - within / (n - k) * (n - 1) / everything)


def _ranks(losses: Sequence[float]) -> NDArray[np.float64]:
    """Return the rank of each loss, from 1; equal ones share the mean of theirs."""
    from scipy.stats import rankdata  # takes a second to import, and most commands only check the name of a score

    ranks: NDArray[np.float64] = rankdata(losses)
    return ranks


def _groups(values: Sequence[Any]) -> list[int]:
    """Group equal values; bin numbers that are nearly all distinct into a low, middle and high third."""
    names = [str(value) for value in values]
    distinct = list(dict.fromkeys(names))
    if 2 * len(distinct) > len(values) and all(isinstance(value, int | float) for value in values):
        order = np.argsort(np.argsort(values, kind="stable"))
        return [int(place) * PARTS // len(values) for place in order]
    return [distinct.index(name) for name in names]
