"""A stage: its key holds everything that can change the result and nothing else."""

from pathlib import Path

import pytest

from configs.schema import Runtime, Vocabulary
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft

RUNS: list[int] = []


@stage("demo")
def demo(config: Vocabulary, seed: int, draft: Draft, context: Context) -> Account:
    RUNS.append(seed)
    draft.file("count.txt").write_text(str(config.min_count * seed))
    return Account(unit="numbers", read=1, written=1)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    RUNS.clear()
    return Context(runtime=Runtime(workspace=str(tmp_path)))


def test_same_arguments_are_computed_once(context: Context) -> None:
    """The second call finds the first one's output."""
    first = demo.compute(context=context, config=Vocabulary(), seed=2)

    assert demo.compute(context=context, config=Vocabulary(), seed=2) == first
    assert RUNS == [2]
    assert (first.path / "count.txt").read_text() == "10"


@pytest.mark.parametrize("change", [{"seed": 3}, {"config": Vocabulary(min_count=6)}])
def test_what_can_change_the_result_changes_the_key(context: Context, change: dict[str, object]) -> None:
    """Another seed or another value in the stage's own section is another output."""
    arguments = {"config": Vocabulary(), "seed": 2}

    assert demo.inputs(**arguments) != demo.inputs(**{**arguments, **change})


def test_what_cannot_change_the_result_is_not_in_the_key(context: Context) -> None:
    """Threads, intervals and the tracking run are in the context, and no context is in a key."""
    made = demo.compute(context=context, config=Vocabulary(), seed=2)
    other = Context(runtime=Runtime(workspace=context.runtime.workspace, threads=7, log_interval=9.0), run_id="other")

    assert demo.find(context=other, config=Vocabulary(), seed=2) == made


def test_an_input_counts_by_its_content(context: Context) -> None:
    """Two datasets with the same bytes are the same input, wherever they lie and whatever made them."""
    here = Dataset(stage="a", key="1", path=Path("here"), digest="d")
    there = Dataset(stage="a", key="2", path=Path("there"), digest="d")

    assert demo.inputs(config=[here], seed=1) == demo.inputs(config=[there], seed=1)


def test_files_outside_the_store_count(tmp_path: Path) -> None:
    """What `outside` returns is part of the key."""
    words = tmp_path / "words.txt"

    @stage("reader", outside=lambda config: words.read_text())
    def reader(config: Vocabulary, draft: Draft, context: Context) -> Account:
        raise NotImplementedError

    words.write_text("one")
    before = reader.inputs(config=Vocabulary())
    words.write_text("two")

    assert reader.inputs(config=Vocabulary()) != before
