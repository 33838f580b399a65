"""SIGKILL at any instant: the next start continues, and the result has no trace of the kill."""

from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from tests.support.killing import Undisturbed, kill_often, undisturbed

OTHERS = ["sync", "promote", "reproduce", "backfill", "seeds", "sweep"]
SERVERLESS = {"sync", "promote"}  # what makes no flow run


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Undisturbed:
    """A retraining without kills."""
    return undisturbed(tmp_path_factory.mktemp("retrain"), corpus)


def test_killed_at_a_few_instants(quiet: Undisturbed) -> None:
    """Vectors, scores, curves, files and the model are the same as without the kills, and nothing is left over."""
    kill_often(quiet, kills=2)


@pytest.mark.long
@pytest.mark.usefixtures("prefect_server")
def test_killed_at_a_hundred_instants(quiet: Undisturbed) -> None:
    """The same for kills in all stages, and of the real flow."""
    where = kill_often(quiet, kills=100, flows=8)
    print(dict(where))

    assert where.total() == 100
    assert len(where) >= 5


def corpus_of(work: str, corpus: Path, folder: Path) -> Path:
    """Return the corpus of a kind of work; a backfill has a part for each day."""
    if work != "backfill":
        return corpus
    lines = corpus.read_text().splitlines(keepends=True)
    for number in (1, 2):
        (folder / f"2026-01-0{number}.txt").write_text("".join(lines[number - 1 :: 2]))
    return folder / "%Y-%m-%d.txt"


@pytest.mark.long
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("work", OTHERS)
def test_other_work_is_killed_at_twenty_instants(work: str, corpus: Path, tmp_path: Path) -> None:
    """Runs, versions, aliases and decisions are as without the kills, and nothing is left over."""
    server = "" if work in SERVERLESS else PREFECT_API_URL.value()
    quiet = undisturbed(tmp_path, corpus_of(work, corpus, tmp_path), work, server)

    assert kill_often(quiet, kills=20).total() == 20
