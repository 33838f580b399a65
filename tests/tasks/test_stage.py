"""A stage: its key holds all that can change the result and nothing else; Prefect's page tells what was reused."""

import sys
from pathlib import Path

import pytest

from configs.schema import Runtime, Vocabulary
from tasks import _stage
from tasks._stage import Context, code_digest, stage
from tasks._store import Account, Dataset, Draft

RUNS: list[int] = []


@stage
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

    @stage(outside=lambda config: words.read_text())
    def reader(config: Vocabulary, draft: Draft, context: Context) -> Account:
        raise NotImplementedError

    words.write_text("one")
    before = reader.inputs(config=Vocabulary())
    words.write_text("two")

    assert reader.inputs(config=Vocabulary()) != before


def test_code_counts_with_all_it_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Editing a core module changes the digest of the stages that use it, also through another module."""
    package = tmp_path / "w2v_core_copy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("STEP = 1\n")
    (package / "outer.py").write_text("from w2v_core_copy import inner\n")
    (tmp_path / "a_stage.py").write_text("from w2v_core_copy.outer import inner\n")
    (tmp_path / "another.py").write_text("import json\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(_stage, "OWN_PACKAGES", ("w2v_core_copy",))

    def digests() -> tuple[str, str]:
        code_digest.cache_clear()
        return code_digest("a_stage"), code_digest("another")

    before = digests()
    (package / "inner.py").write_text("STEP = 2\n")
    after = digests()
    code_digest.cache_clear()
    for name in [name for name in sys.modules if name.startswith("w2v_core_copy")]:
        del sys.modules[name]

    assert after[0] != before[0]
    assert after[1] == before[1]


def test_real_stages_follow_the_core() -> None:
    """Ingestion does not depend on the core; windows and training do."""
    from tasks import windows

    source = Path(windows.__file__).read_bytes()

    assert {"w2v_core.windows", "w2v_core.randomness", "tasks._contracts"} <= set(_stage._own_imports(source))
