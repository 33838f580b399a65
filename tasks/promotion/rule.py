"""Decide whether a challenger may replace the champion: measurements and the rule.

It may if there is no objection, neither to itself (tasks/evaluation/learning.py) nor against the champion:
    each gate       its score is not worse by more than the margin: with 97.5% confidence, on the items both know
    coverage        it knows nearly all items of a gate that the champion knows
    drift           the space has drifted little enough, or the user accepts the drift
and there is a reason:
    it is better on one gate, beyond its 95% interval, or it was trained on newer data.
"""

import pyarrow as pa
import pyarrow.compute as pc

from configs.schema import Promotion
from tasks.comparison.published import Published
from tasks.comparison.runs import space_change, verdicts
from tasks.errors import InputError
from tasks.evaluation.judging import Space
from tasks.evaluation.scores import asked
from tasks.evaluation.sessions import JUDGE, SETS, again
from tasks.tracking.registry import Figures, Gate
from tasks.vectors.tables import WordVectors

NO_SETS = "no evaluation set judged it; see evaluation.similarity, .analogies and .domain"
INCOMPARABLE = "not the same set, or too few items that both know"


def measure(challenger: Published, champion: Published, wanted: list[str]) -> Figures:
    """Measure the challenger against the champion; `wanted` names the gates, by default all scores of the champion."""
    ours, theirs = (each.judged.inputs["outside"] for each in (challenger, champion))
    same = {name for name in ours if ours[name] == theirs.get(name)}
    items, theirs = _on_the_same_sessions(challenger, champion)
    found = {each.metric: each for each in verdicts(items, theirs, {*same, *SETS})}
    scores = wanted or [each.metric for each in asked(theirs) if each.metric in champion.metrics]
    known = {each.metric: each.items["covered"].to_numpy().sum() for each in asked(theirs)}
    gates = [
        Gate(
            score=score,
            items=found[score].items,
            coverage=found[score].items / known[score],
            champion=difference.b,
            challenger=difference.a,
            low=difference.low,
            high=difference.high,
            better=difference.better,
        )
        for score in scores
        if score in found and (difference := found[score].difference)
    ]
    try:
        space = space_change(champion.vectors, challenger.vectors)
        drift, overlap = max(0.0, 1 - space.cosine), space.overlap
    except InputError:  # too few words in common
        drift, overlap = 1.0, 0.0
    return Figures(
        gates=gates,
        incomparable=[score for score in scores if score not in found],
        newer_data=challenger.started > champion.started and challenger.documents != champion.documents,
        drift=drift,
        overlap=overlap,
    )


def _on_the_same_sessions(challenger: Published, champion: Published) -> tuple[pa.Table, pa.Table]:
    """Return the items of both; as to sessions, their answers to the challenger's, which may be newer.

    Both recommend the items that both know: among fewer items the right one is found more easily.
    """
    tables = challenger.items, champion.items
    if challenger.judged.inputs["held_out"] == champion.judged.inputs["held_out"]:
        return tables
    known = [{*each.vectors.words} for each in (champion, challenger)]
    spaces = [Space(_of(each.vectors, other)) for each, other in zip((challenger, champion), known, strict=True)]
    ours, theirs = (
        pa.concat_tables([table.filter(pc.not_equal(table["judge"], JUDGE)), again(challenger.items, space)])
        for table, space in zip(tables, spaces, strict=True)
    )
    return ours, theirs


def _of(vectors: WordVectors, words: set[str]) -> WordVectors:
    """Return the vectors of those of the words that they have."""
    rows = [row for row, word in enumerate(vectors.words) if word in words]
    return WordVectors([vectors.words[row] for row in rows], vectors.counts[rows], vectors.table[rows], vectors.rules)


def objections(figures: Figures, rule: Promotion, *, accept_drift: bool) -> list[str]:
    """Return what speaks against the challenger."""
    found = [f"{score} cannot be compared: {INCOMPARABLE}" for score in figures.incomparable]
    for gate in figures.gates:
        if gate.low < -rule.margin:
            found.append(
                f"{gate.score} may be worse by {-gate.low:.3f}, which is more than {rule.margin:g} "
                f"({gate.challenger:.3f} against {gate.champion:.3f} on {gate.items:,} items)"
            )
        if gate.coverage < rule.min_coverage:
            found.append(f"{gate.score}: it knows only {gate.coverage:.1%} of the champion's items")
    if not (figures.gates or figures.incomparable):
        found.append(f"the champion has no score to compare: {NO_SETS}")
    if figures.drift > rule.max_drift and not accept_drift:
        found.append(f"the space has drifted by {figures.drift:.3f}, which is more than {rule.max_drift:g}")
    return found


def merits(figures: Figures) -> list[str]:
    """Return what speaks for the challenger."""
    better = [gate for gate in figures.gates if gate.low > 0]
    found = [f"{gate.score} is better by {gate.challenger - gate.champion:.3f}" for gate in better]
    return [*found, "it was trained on newer data"] if figures.newer_data else found
