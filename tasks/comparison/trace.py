"""Follow words through the periods of a corpus, or the versions of a model, on common axes."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from tasks.comparison.published import Published
from tasks.comparison.runs import FEWEST, NEIGHBORS, OFTEN, WORDS
from tasks.errors import InputError, UnknownWord
from tasks.vectors.tables import WordVectors
from w2v_core.arrays import Floats
from w2v_core.measures import drift
from w2v_core.measures.procrustes import turned
from w2v_core.measures.similarity import Vectors

OF_ITS_OWN = re.compile(r" seed=\d+|( \d\d-\d\d)? \d\d:\d\d(:\d\d)?$")  # in the name of a run: its seed and its time
MOST = 15  # words in a list
NEAR = 6  # neighbours of a period in the picture of a path


class Period(NamedTuple):
    """What was trained on the same documents: one run for each seed."""

    name: str
    runs: list[Published]


class Apart(NamedTuple):
    """1 − cosine of a word between two periods: the mean over their seeds, the lowest and the highest."""

    value: float
    low: float
    high: float


class Stop(NamedTuple):
    """A word in a period that has it."""

    period: str
    occurrences: int
    from_first: Apart | None  # None in the first period that has the word
    from_last: Apart | None  # from the period before, that has it
    neighbors: list[str]  # nearest first


class Drawn(NamedTuple):
    """The picture of a path, on the two principal axes of what it shows."""

    path: Floats  # (stops, 2)
    words: list[str]  # its neighbours in any of the periods
    near: Floats  # (neighbours, 2), where they are in the last period that has them


class Moved(NamedTuple):
    word: str
    shift: float
    sure: bool  # beyond chance


class Trace(NamedTuple):
    """The paths of words, and all shared words by how far they moved from the first period to the last."""

    periods: list[Period]
    shared: int  # words by which the spaces are aligned
    paths: dict[str, list[Stop]]
    drawn: dict[str, Drawn]
    moved: list[Moved]  # the farthest first
    still: list[Moved]  # the nearest first
    chance: float | None  # the largest shift by chance; None without two seeds in both periods
    splits: int

    @property
    def certainty(self) -> str:
        """Return in words how sure it is that a word moved."""
        if self.chance is None:
            return (
                "No interval: a period of one seed does not tell chance from change. Train each period with two seeds "
                "or more, better three: `w2v backfill … --alone --set seed=2`."
            )
        return (
            f"Seeds alone give a shift of up to {self.chance:.3f}, the largest of all words in {self.splits - 1} other "
            "splits of the same trainings. A word that moved is beyond that, and farther than words as frequent as it "
            "is: two samples of one text would have such a word in 1 of 20 cases."
        )


def periods(runs: Sequence[Published]) -> list[Period]:
    """Group runs by their documents, in the order in which these come first.

    Raises InputError if there are fewer than two groups.
    """
    found: dict[str, list[Published]] = {}
    for run in runs:
        found.setdefault(run.documents, []).append(run)
    if len(found) < 2:
        raise InputError(
            f"there is nothing to trace\nexpected  runs of two texts or more\nfound     {len(runs)} of one text\n"
            "`w2v backfill … --alone` trains each period by itself; or name runs with --run."
        )
    names = [OF_ITS_OWN.sub("", group[0].name) for group in found.values()]
    if len(set(names)) < len(names):
        names = [f"{name}, {_day(group[0])}" for name, group in zip(names, found.values(), strict=True)]
    return [Period(name, group) for name, group in zip(names, found.values(), strict=True)]


def trace(runs: Sequence[Published], words: Sequence[str]) -> Trace:
    """Follow the words. Raises UnknownWord if one is in fewer than two periods, InputError if too little is shared."""
    of = periods(runs)
    vectors = [[run.vectors for run in period.runs] for period in of]
    every = [each for period in vectors for each in period]
    shared = _shared(every)
    rows = [_rows(each, shared) for each in every]
    turns = drift.together([Vectors(each.table[row]).unit for each, row in zip(every, rows, strict=True)])
    spaces = iter(
        [
            _Space(each, by, turned(Vectors(each.table[row]).unit, by))
            for each, by, row in zip(every, turns, rows, strict=True)
        ]
    )
    placed = [[next(spaces) for _ in period] for period in vectors]
    first, last = ([space.shared for space in period] for period in (placed[0], placed[-1]))
    found = drift.shift(first, last)
    order = np.lexsort((-found.value, ~found.sure))
    moved = [Moved(shared[row], float(found.value[row]), bool(found.sure[row])) for row in order]
    paths = {word: _path(word, of, placed) for word in words}
    drawn = {word: _drawn(word, stops, of, placed) for word, stops in paths.items()}
    still = moved[: -MOST - 1 : -1]
    return Trace(of, len(shared), paths, drawn, moved[:MOST], still, found.chance, found.splits)


def _day(run: Published) -> str:
    return f"{datetime.fromtimestamp(run.started / 1_000, UTC):%Y-%m-%d %H:%M} {run.id[:4]}"


class _Space:
    def __init__(self, vectors: WordVectors, by: Floats, shared: Floats) -> None:
        self.vectors, self.by, self.shared = vectors, by, shared
        self.row = {word: number for number, word in enumerate(vectors.words)}

    def unit(self, word: str) -> Floats:
        row = self.row[word]
        return turned(Vectors(self.vectors.table[row : row + 1]).unit, self.by)


def _shared(every: Sequence[WordVectors]) -> list[str]:
    often = [{w for w, count in zip(each.words, each.counts, strict=True) if count >= OFTEN} for each in every]
    if len(common := set.intersection(*often)) < FEWEST:
        common = set.intersection(*(set(each.words) for each in every))
    if len(common) < FEWEST:
        raise InputError(
            f"the periods cannot be aligned\nexpected  {FEWEST} words or more that all runs share\n"
            f"found     {len(common)}\nName runs of similar texts with --run."
        )
    return [word for word in every[0].words if word in common][:WORDS]


def _rows(vectors: WordVectors, words: Sequence[str]) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    row = {word: number for number, word in enumerate(vectors.words)}
    return np.array([row[word] for word in words], np.intp)


def _path(word: str, of: Sequence[Period], placed: Sequence[Sequence[_Space]]) -> list[Stop]:
    stops: list[Stop] = []
    before: list[list[Floats]] = []
    for period, spaces in zip(of, placed, strict=True):
        if not all(word in space.row for space in spaces):
            continue
        here = [space.unit(word) for space in spaces]
        newest = spaces[0]
        near = Vectors(newest.vectors.table).most_similar(np.array([newest.row[word]]), NEIGHBORS).word[0]
        stops.append(
            Stop(
                period.name,
                int(newest.vectors.counts[newest.row[word]]),
                _apart(before[0], here) if before else None,
                _apart(before[-1], here) if before else None,
                [newest.vectors.words[row] for row in near],
            )
        )
        before.append(here)
    if len(stops) < 2:
        known = len(placed[-1][0].row)
        raise UnknownWord({word: []}, known)
    return stops


def _drawn(word: str, stops: Sequence[Stop], of: Sequence[Period], placed: Sequence[Sequence[_Space]]) -> Drawn:
    there = dict(zip((period.name for period in of), placed, strict=True))
    path = [np.mean([space.unit(word) for space in there[stop.period]], axis=0)[0] for stop in stops]
    newest = {name: space for spaces in placed for space in spaces[:1] for name in space.row}
    words = list(dict.fromkeys(name for stop in stops for name in stop.neighbors[:NEAR]))
    near = [newest[name].unit(name)[0] for name in words]
    size = max(map(len, [*path, *near]))
    every = np.array([np.pad(each, (0, size - len(each))) for each in [*path, *near]])
    middle = every - every.mean(axis=0)
    axes = np.linalg.svd(middle, full_matrices=False)[2][:2]
    flat = np.zeros((len(every), 2), np.float32)
    flat[:, : len(axes)] = middle @ axes.T
    return Drawn(flat[: len(path)], words, flat[len(path) :])


def _apart(before: Sequence[Floats], here: Sequence[Floats]) -> Apart:
    found = drift.distances(before, here)[:, 0]
    return Apart(float(found.mean()), float(found.min()), float(found.max()))
