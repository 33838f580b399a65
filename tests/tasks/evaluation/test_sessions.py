"""Vectors of items are judged by held-out sessions, beside popularity and co-occurrence."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.datasets import contracts
from tasks.evaluation import scores, sessions
from tasks.evaluation.judging import Space
from tasks.evaluation.sessions import Question, again, answered, asked, baselines, described, judge
from tasks.vectors.tables import WordVectors
from w2v_core.windows import Windows

ITEMS = ["Tea, 20 bags", "cup", "milk", "nail", "hammer", "saw"]
ANGLES = np.deg2rad([0, 5, 12, 90, 97, 100])
SPACE = Space(WordVectors(ITEMS, np.arange(6, 0, -1), np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1).astype(np.float32)))
SESSIONS = [[0, 1, 2], [3, 4, 3, 5], [2], [0, 3, 0]]


class Drawn:
    """Windows of two parts, each of which counts its sessions from 0."""

    def __init__(self, folder: Path, parts: list[list[list[int]]]) -> None:
        self.written = []
        for number, part in enumerate(parts):
            self.written.append(folder / f"{number}.parquet")
            made = windows(part)
            columns = [made.document, made.center, made.radius]
            contracts.write(self.written[-1], contracts.WINDOWS, pa.table(columns, contracts.WINDOWS.schema))

    def files(self) -> list[Path]:
        return self.written


def windows(of: list[list[int]]) -> Windows:
    document = np.repeat(np.arange(len(of), dtype=np.int32), [len(items) for items in of])
    center = np.array([item for items in of for item in items], np.int32)
    return Windows(document, center, np.ones(len(center), np.uint8))


def test_what_a_session_had_before_is_not_asked_for() -> None:
    """A session of one item asks nothing, and one that returns to an item does not ask for it as the next."""
    found = asked(windows(SESSIONS))

    assert [(each.history.tolist(), each.chosen) for each in found["next_item"]] == [([0, 1], 2), ([3, 4], 5)]
    assert len(found["leave_one_out"]) == 3
    assert all(each.chosen not in each.history for each in found["leave_one_out"])
    assert [each.chosen for each in asked(windows(SESSIONS))["leave_one_out"]] == [
        each.chosen for each in found["leave_one_out"]
    ]


def test_the_nearest_are_recommended() -> None:
    """Tea and a cup want milk; a hammer alone wants the saw first, then the nail."""
    questions = [Question(np.array([0, 1]), 2), Question(np.array([4]), 3)]
    items, catalogue = answered(SPACE, "next_item", questions, 1)

    assert json.loads(items["item"][0].as_py()) == ["Tea, 20 bags", "cup"]
    assert items["expected"].to_pylist() == ["milk", "nail"]
    assert items["predicted"].to_pylist() == ["milk", "saw"]
    assert items["score"].to_pylist() == [1, 2]
    assert items["right"].to_pylist() == [True, False]
    assert catalogue == pytest.approx(2 / 6)


def test_baselines_know_the_sessions_of_all_parts(tmp_path: Path) -> None:
    """What is in most sessions, and what was in those of the history; a repeated item counts once."""
    drawn = Drawn(tmp_path, [[[0, 1], [0, 2, 2, 2]], [[3, 4], [0, 1, 4]]])
    by = baselines(drawn, 6)  # type: ignore[arg-type]
    history = sessions.csr_array(([1.0], ([0], [1])), shape=(1, 6))

    assert by["popularity"](history).tolist() == [[3, 2, 1, 1, 2, 0]]
    assert by["cooccurrence"](history).tolist() == [[2, 2, 0, 0, 1, 0]]


def test_scores_have_intervals_and_baselines(tmp_path: Path) -> None:
    """Each of the three scores of both questions, and the difference to each baseline."""
    items, beside = judge(SPACE, windows(SESSIONS), Drawn(tmp_path, [SESSIONS]), 2, 100, 1)  # type: ignore[arg-type]
    found = scores.figures(items, 100, 1) | beside

    assert found["sessions/next_item.hit_rate"] == 1
    assert 0.5 <= found["sessions/next_item.mrr"] <= found["sessions/next_item.ndcg"] <= 1
    assert found["coverage/leave_one_out"] == 1
    beside_them = [f"{over}{name}" for name in sessions.BASELINES for over in ("", "over_")]
    for group, names in {"sessions": ["hit_rate", "mrr", "ndcg"], "baseline": beside_them}.items():
        for name in names:
            value = found[f"{group}/next_item.{name}"]
            assert found[f"interval/next_item.{name}.low"] <= value <= found[f"interval/next_item.{name}.high"]
    assert described(items)["next_item"]["words"] == 2


def test_other_vectors_answer_the_same_questions() -> None:
    """An item that they lack makes the question an uncovered one; the rows stay in order."""
    items, _ = judge(SPACE, windows(SESSIONS), None, 2, 100, 1)
    fewer = Space(WordVectors(ITEMS[:5], np.arange(5), SPACE.vectors.unit[:5]))

    same, other = again(items, SPACE), again(items, fewer)
    assert same.equals(items)
    assert other["item"].equals(items["item"])
    assert other["expected"].equals(items["expected"])
    asks_for_the_saw = [each == "saw" for each in items["expected"].to_pylist()]
    assert asks_for_the_saw == [not covered for covered in other["covered"].to_pylist()]
