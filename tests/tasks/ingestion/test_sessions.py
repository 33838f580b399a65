"""Long tables become sessions, grouped and ordered on disk."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Ingestion
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.ingestion import sessions
from tasks.ingestion.sessions import grouped
from tasks.ingestion.stage import ingestion
from tasks.readers.documents import Document, broken

EVENTS = st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 9), st.text("xyz ", min_size=1)), max_size=60)


@given(EVENTS, st.integers(1, 3))
def test_sessions_are_those_of_a_sorted_table(events: list[tuple[str, int, str]], buckets: int) -> None:
    """An oracle in memory: events by time and then place; sessions by their first event, for any number of buckets."""
    wanted: dict[str, list[tuple[int, int, str]]] = {}
    for place, (session, time, item) in enumerate(events):
        wanted.setdefault(session, []).append((time, place, item))
    ordered = sorted((sorted(each), session) for session, each in wanted.items())
    documents = [Document(session, item, "", time=float(time)) for session, time, item in events]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "AT_ONCE", 3)
        found = [(each.source, each.text) for each in grouped(documents, buckets * sessions.BUCKET)]

    assert found == [(session, "\0".join(item for *_, item in each)) for each, session in ordered]


def test_a_damaged_event_passes_through() -> None:
    """It is counted where all documents are."""
    assert broken("s", "row 1", 3) in list(grouped([broken("s", "row 1", 3), Document("s", "a", "")], 1))


def test_a_session_may_have_events_in_several_files(context: Context, tmp_path: Path) -> None:
    """Files are grouped together, whatever the digest of each."""
    (tmp_path / "log").mkdir()
    for day in range(9):
        (tmp_path / "log" / f"{day}.csv").write_text(f"t,s,i\n{9 - day},x,item {day}\n{day},y{day},other\n")
    config = Ingestion(source=str(tmp_path / "log"), kind="items", text_column="i", session_column="s", time_column="t")
    made = ingestion.compute(context=context, config=config)
    texts = {
        row["source"]: row["text"].split("\0")
        for file in made.files()
        for row in contracts.read(file, contracts.DOCUMENTS).to_pylist()
    }

    assert texts["x"] == [f"item {day}" for day in reversed(range(9))]
    assert len(texts) == 10
