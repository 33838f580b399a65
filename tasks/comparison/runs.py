"""Compare several published runs with the first, on the items that both cover."""

import string
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.comparison.published import Published
from tasks.errors import InputError
from tasks.evaluation import scores
from tasks.evaluation.scores import Asked
from tasks.evaluation.sessions import SETS
from tasks.tracking.names import CONFIG_DIGEST
from tasks.vectors.tables import WordVectors
from w2v_core.measures import paired
from w2v_core.measures.paired import Difference
from w2v_core.measures.procrustes import Change, change
from w2v_core.randomness import generator

RESAMPLES = 2_000
WORDS = 5_000  # most frequent shared words, on which the change of the space is measured
OFTEN = 50  # occurrences in both corpora; rarer words move by chance
NEIGHBORS = 10
MOST = 30  # words in a list
FEWEST = 5  # words that two spaces must share


class Verdict(NamedTuple):
    """A score of a run compared with the first run, on the items both cover."""

    metric: str
    items: int
    difference: Difference


class Moved(NamedTuple):
    """A word whose vector has changed."""

    word: str
    counts: tuple[int, int]  # in the corpora of the first and the other run
    distance: float  # 1 − cosine, after alignment
    overlap: float
    before: list[str]  # its neighbours, nearest first
    after: list[str]


class SpaceChange(NamedTuple):
    """The change from the first run's space to another's."""

    shared: int  # words
    judged: int  # number of the most frequent of them that are compared
    cosine: float  # mean, after alignment
    overlap: float  # mean share of neighbours kept
    words: list[Moved]  # all that were compared, by falling count
    gained: list[tuple[str, int]]  # with counts, by falling count
    lost: list[tuple[str, int]]

    @property
    def moved(self) -> list[Moved]:
        """Return the words that moved most, among those frequent enough."""
        often = [word for word in self.words if min(word.counts) >= OFTEN]
        return sorted(often, key=lambda word: -word.distance)[:MOST]


class Against(NamedTuple):
    """The differences between a run and the first."""

    verdicts: dict[str, Verdict]
    bands: dict[tuple[str, str], Verdict]  # by score and band of frequency
    notes: list[str]  # what could not be compared, with the reason
    space: SpaceChange


class Comparison(NamedTuple):
    """Several runs, each compared with the first."""

    runs: list[Published]
    differing: dict[str, list[str]]  # parameter → its value in each run
    against: list[Against]  # one for each run except the first

    @property
    def letters(self) -> str:
        return string.ascii_uppercase[: len(self.runs)]


def compare(runs: Sequence[Published]) -> Comparison:
    """Compare each run with the first."""
    first, *others = runs
    keys = dict.fromkeys(key for run in runs for key in run.parameters if key != CONFIG_DIGEST)
    values = {key: [run.parameters.get(key, "–") for run in runs] for key in keys}
    differing = {key: row for key, row in values.items() if len(set(row)) > 1}
    return Comparison(list(runs), differing, [_against(run, first) for run in others])


def _against(run: Published, first: Published) -> Against:
    ours, theirs = (each.judged.inputs["outside"] for each in (run, first))
    same = {name for name in ours if ours[name] == theirs.get(name)}
    notes = [
        f"{name}: {'another edition of the set' if name in ours and name in theirs else 'it judged only one of them'}"
        for name in sorted({*ours, *theirs} - same)
    ]
    if run.judged.inputs["held_out"] == first.judged.inputs["held_out"]:
        same |= {*SETS}
    else:
        notes.append("loss/held_out: not the same held-out windows, so J(θ) cannot be compared")
    if not (ours or theirs or SETS[0] in run.facts.get("sets", {})):
        notes.append("no evaluation set judged them: name some in evaluation.similarity, .analogies or .domain")
    return Against(
        {each.metric: each for each in verdicts(run.items, first.items, same)},
        bands(run.items, first.items, same),
        notes,
        space_change(first.vectors, run.vectors),
    )


def verdicts(run: pa.Table, first: pa.Table, sets: set[str], resamples: int = RESAMPLES) -> list[Verdict]:
    """Return the scores on the sets that judged both runs."""
    found = []
    for ours, theirs, both in _covered(run, first, sets):
        rng = generator(0, f"comparison/{ours.metric}")
        found.append(_verdict(ours, theirs, both, resamples, rng=rng))
    return [each for each in found if each]


def bands(run: pa.Table, first: pa.Table, sets: set[str]) -> dict[tuple[str, str], Verdict]:
    """Return the same by frequency band in the first run's vocabulary: (score, band) → verdict."""
    found = {}
    for ours, theirs, both in _covered(run, first, sets):
        for band, inside in scores.by_band(theirs.items["rank"]):
            rng = generator(0, f"comparison/{ours.metric}/{band}")
            if each := _verdict(ours, theirs, pc.and_(both, inside), RESAMPLES, rng=rng):
                found[ours.metric, band] = each
    return found


def _covered(run: pa.Table, first: pa.Table, sets: set[str]) -> Iterator[tuple[Asked, Asked, pa.ChunkedArray]]:
    """Yield the items of both runs, with a mask of those both cover; a set has the same items in the same order."""
    asked = {each.metric: each for each in scores.asked(first)}
    for ours in scores.asked(run):
        if ours.set in sets and (theirs := asked.get(ours.metric)):
            yield ours, theirs, pc.and_(ours.items["covered"], theirs.items["covered"])


def _verdict(
    ours: Asked, theirs: Asked, chosen: pa.ChunkedArray, resamples: int, *, rng: np.random.Generator
) -> Verdict | None:
    a, b = ours.items.filter(chosen), theirs.items.filter(chosen)
    difference = _difference(ours.judge, a, b, resamples, rng=rng)
    return Verdict(ours.metric, len(a), difference) if difference else None


def _difference(judge: str, a: pa.Table, b: pa.Table, resamples: int, *, rng: np.random.Generator) -> Difference | None:
    ours, theirs = scores.gains(judge, a), scores.gains(judge, b)
    if ours is not None and theirs is not None:
        return paired.mean(ours, theirs, resamples, rng=rng)
    if judge == "similarity":
        columns = (a["target"].to_numpy(), a["score"].to_numpy(), b["score"].to_numpy())
        return paired.spearman(*columns, resamples, rng=rng)
    return paired.share(a["right"].to_numpy(), b["right"].to_numpy(), resamples, rng=rng)


def space_change(before: WordVectors, after: WordVectors) -> SpaceChange:
    """Return the change of the words that both spaces contain. Raises InputError if they share too few."""
    row = {word: number for number, word in enumerate(after.words)}
    known = set(before.words)
    shared = [(old, row[word]) for old, word in enumerate(before.words) if word in row]
    if len(shared) < FEWEST:
        raise InputError(
            f"the runs share {len(shared)} of {len(before.words):,} and {len(after.words):,} words: "
            "there is no space to compare.\nName runs of the same language and the same tokenization."
        )
    old, new = np.array(shared[:WORDS], np.int64).reshape(-1, 2).T
    found = change(before.table[old], after.table[new], NEIGHBORS)
    words = [before.words[each] for each in old]
    return SpaceChange(
        shared=len(shared),
        judged=len(words),
        cosine=float(found.cosine.mean()),
        overlap=float(found.overlap.mean()),
        words=[
            _moved(words, found, number, before, after, *rows) for number, rows in enumerate(zip(old, new, strict=True))
        ],
        gained=[(word, int(count)) for word, count in zip(after.words, after.counts, strict=True) if word not in known],
        lost=[(word, int(count)) for word, count in zip(before.words, before.counts, strict=True) if word not in row],
    )


def _moved(
    words: list[str], found: Change, number: int, before: WordVectors, after: WordVectors, old: int, new: int
) -> Moved:
    return Moved(
        words[number],
        (int(before.counts[old]), int(after.counts[new])),
        1 - float(found.cosine[number]),
        float(found.overlap[number]),
        [words[each] for each in found.before[number]],
        [words[each] for each in found.after[number]],
    )
