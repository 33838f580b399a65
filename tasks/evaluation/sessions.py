"""Judge vectors of items by held-out sessions: is the item that was chosen among those that are recommended?

`next_item` asks for the last item of a session after the others, `leave_one_out` for one from its midst that is hidden.
A session is described by the mean of the unit vectors of its other items, and recommended what is nearest to that.
Two baselines answer the same questions without vectors: what is popular, and what occurs with the session's items in
the sessions of the training. The item that is asked for must not have occurred in the session before.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tasks.datasets import contracts
from tasks.engine.facts import JudgedSet
from tasks.engine.store import Dataset
from tasks.evaluation.judging import Space, ranks, rows
from tasks.tracking.names import BASELINE, CATALOGUE, HIGH, LOW, OVER_BASELINE
from w2v_core.arrays import Floats
from w2v_core.measures import paired
from w2v_core.measures.bootstrap import share
from w2v_core.measures.recommendation import Recommended, recommend
from w2v_core.randomness import generator
from w2v_core.windows import Windows

JUDGE = "session"
SETS = ("next_item", "leave_one_out")
BASELINES = ("popularity", "cooccurrence")
MOST = 10_000  # sessions that are asked about
ELEMENTS = 1 << 24  # scores at a time
Ids = NDArray[np.integer]
Score = Callable[[csr_array], Floats]  # of each item (Q, V), for histories (Q, V)


class Question(NamedTuple):
    """Rows of items; −1 is an item without a vector."""

    history: Ids  # distinct
    chosen: int


def judge(
    space: Space, held_out: Windows, drawn: Dataset | None, top: int, bootstrap: int, seed: int
) -> tuple[pa.Table, dict[str, float]]:
    """Return a row for each question, and the figures beside the scores: baselines and coverage of the catalogue."""
    tables, figures = [], {}
    by_baseline = baselines(drawn, len(space)) if drawn else {}
    for name, questions in asked(held_out).items():
        items, catalogue = answered(space, name, questions, top)
        tables.append(items)
        if not questions:
            continue
        figures[CATALOGUE.format(set=name)] = catalogue
        hit = items["right"].to_numpy(zero_copy_only=False)
        for baseline, score in by_baseline.items():
            other = _recommended(score, questions, len(space), top).position <= top
            rng = generator(seed, f"evaluation/{name}/{baseline}")
            metrics = BASELINE.format(set=name, baseline=baseline), OVER_BASELINE.format(set=name, baseline=baseline)
            for metric, found in zip(
                metrics,
                (share(int(other.sum()), len(other), bootstrap, rng=rng), paired.share(hit, other, bootstrap, rng=rng)),
                strict=True,
            ):
                if found:
                    score_name = metric.split("/")[1]
                    figures |= {
                        metric: found.value,
                        LOW.format(score=score_name): found.low,
                        HIGH.format(score=score_name): found.high,
                    }
    return pa.concat_tables(tables), figures


def described(items: pa.Table) -> dict[str, JudgedSet]:
    """Return the facts of each set: the items that are asked for, which are all known."""
    found = {}
    for name in SETS:
        chosen = items.filter(pc.equal(items["set"], name))
        distinct = pc.count_distinct(chosen["expected"]).as_py()
        if len(chosen):
            found[name] = JudgedSet(words=distinct, unknown=0, first=[], repeated=0, such_as="")
    return found


def asked(held_out: Windows) -> dict[str, list[Question]]:
    """Return the questions about the sessions of held-out windows, the same for everybody who has these."""
    cuts = np.flatnonzero(np.diff(held_out.document)) + 1
    sessions = [items for items in np.split(held_out.center, cuts) if len(items) > 1]
    if len(sessions) > MOST:
        sessions = [sessions[number] for number in np.linspace(0, len(sessions) - 1, MOST).astype(int)]
    hidden = generator(0, "leave one out").random(len(sessions))
    found: dict[str, list[Question]] = {name: [] for name in SETS}
    for items, place in zip(sessions, hidden, strict=True):
        for name, chosen in zip(SETS, (items[-1], items[int(place * len(items))]), strict=True):
            others = items[:-1] if name == SETS[0] else items[items != chosen]
            if len(others) and chosen not in others:
                found[name].append(Question(np.unique(others), int(chosen)))
    return found


def answered(space: Space, name: str, questions: Sequence[Question], top: int) -> tuple[pa.Table, float]:
    """Return a row for each question, with the item's position as its score, and the share of items recommended."""
    known = [question for question in questions if question.chosen >= 0 and (question.history >= 0).any()]
    covered = np.array([question.chosen >= 0 and bool((question.history >= 0).any()) for question in questions], bool)
    found = _recommended(lambda history: _nearest(space, history), known, len(space), top)
    position, first = np.full(len(questions), np.nan), np.full(len(questions), -1)
    if known:
        position[covered], first[covered] = found.position, found.top[:, 0]
    words = space.words
    about: dict[str, Any] = {
        "item": [json.dumps([str(words[row]) for row in each.history], ensure_ascii=False) for each in questions],
        "expected": [words[each.chosen] for each in questions],
        "rank": ranks(np.array([[each.chosen] for each in questions], np.int64).reshape(-1, 1)),
    }
    table = rows(
        covered,
        judge=JUDGE,
        set=name,
        **about,
        predicted=words[first],
        right=np.asarray(position <= top),
        target=np.full(len(questions), float(top)),
        score=position,
    )
    return table, len(np.unique(found.top[found.top >= 0])) / len(space)


def again(items: pa.Table, space: Space) -> pa.Table:
    """Return the rows of sessions as these vectors answer them; an item that they lack makes a row uncovered."""
    tables = []
    for name in SETS:
        chosen = items.filter(pc.and_(pc.equal(items["judge"], JUDGE), pc.equal(items["set"], name)))
        if len(chosen) == 0:
            continue
        questions = [
            Question(space.rows(json.loads(each["item"])), int(space.rows([each["expected"]])[0]))
            for each in chosen.to_pylist()
        ]
        answers, _ = answered(space, name, questions, int(chosen["target"][0].as_py()))
        for column in ("item", "expected"):  # with the items that they lack, too
            answers = answers.set_column(
                answers.schema.get_field_index(column), answers.schema.field(column), chosen[column]
            )
        tables.append(answers)
    return pa.concat_tables(tables) if tables else items.slice(0, 0)


def baselines(drawn: Dataset, items: int) -> dict[str, Score]:
    """Return what scores items without vectors, from one draw of the training's windows, which has all its sessions."""
    documents, centers, before, last = [np.empty(0, np.int64)], [np.empty(0, np.int32)], 0, -1
    for file in drawn.files():
        document, center = (column.to_numpy() for column in contracts.read(file, contracts.WINDOWS).columns[:2])
        if not len(document):
            continue
        if document[0] <= last:  # each part counts its own from 0
            before += last + 1
        documents.append(document.astype(np.int64) + before)
        centers.append(center)
        last = int(document[-1])
    document, center = (
        np.concatenate([*documents, []]).astype(np.int64),
        np.concatenate([*centers, []]).astype(np.int64),
    )
    shape = int(document.max(initial=-1)) + 1, items
    sessions = csr_array((np.ones(len(center), np.float32), (document, center)), shape=shape)
    sessions.data[:] = 1  # an item that occurs twice in a session is one
    counts = np.asarray(sessions.sum(axis=0)).ravel()
    return {
        "popularity": lambda history: np.tile(counts, (history.shape[0], 1)),
        "cooccurrence": lambda history: ((history @ sessions.T) @ sessions).toarray(),
    }


def _nearest(space: Space, history: csr_array) -> Floats:
    """Return the cosines of all items with the mean of the history's unit vectors, up to its length."""
    profile: Floats = history @ space.vectors.unit
    scores: Floats = profile @ space.vectors.unit.T
    return scores


def _recommended(score: Score, questions: Sequence[Question], items: int, top: int) -> Recommended:
    """Answer the questions, some at a time."""
    found = [Recommended(np.empty(0, np.intp), np.empty((0, min(top, items)), np.intp))]
    for some in _some(questions, items):
        known = [each.history[each.history >= 0] for each in some]
        row = np.repeat(np.arange(len(some)), [len(each) for each in known])
        column = np.concatenate(known)
        history = csr_array((np.ones(len(row), np.float32), (row, column)), shape=(len(some), items))
        chosen = np.array([each.chosen for each in some])
        found.append(recommend(score(history), (row, column), chosen, min(top, items)))
    return Recommended(*map(np.concatenate, zip(*found, strict=True)))


def _some(questions: Sequence[Question], items: int) -> Iterator[Sequence[Question]]:
    step = max(1, ELEMENTS // items)
    return (questions[first : first + step] for first in range(0, len(questions), step))
