"""Words are followed through periods: one that changed its sense is found, and none where nothing changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.loading import check
from flows.planning.pipeline import learn, prepare
from tasks.comparison import page, trace
from tasks.comparison.published import Published
from tasks.comparison.trace import Trace
from tasks.engine.stage import Context
from tasks.engine.store import Dataset, Manifest
from tasks.errors import InputError, UnknownWord
from tasks.vectors import tables

TOPICS = [[f"{letter}{number}" for number in range(20)] for letter in "abcdefgh"]
SEEDS = (1, 2, 3)


def documents(moved: str, seed: int) -> list[str]:
    """Return documents of one topic each; `mouse` belongs to one of them."""
    rng = np.random.default_rng(seed)
    words = {topic[0][0]: [*topic, *(["mouse"] * 2 if topic[0][0] == moved else [])] for topic in TOPICS}
    return [" ".join(rng.choice(words["abcdefgh"[number % 8]], 60)) for number in range(320)]


def trained(folder: Path, name: str, lines: Sequence[str], seed: int) -> Published:
    """Return a run whose vectors were trained on the lines."""
    (folder / f"{name}.txt").write_text("\n".join(lines))
    config = check({
        "seed": seed,
        "ingestion": {"source": str(folder / f"{name}.txt"), "text_documents": "line"},
        "vocabulary": {"subsample": 0.0},
        "training": {"vector_size": 20, "epochs": 6},
        "runtime": {"workspace": str(folder / "ws")},
    }, "a test")  # fmt: skip
    context = Context(runtime=config.runtime)

    def do(stage: Any, **arguments: Any) -> Dataset:
        return stage.compute(context=context, **arguments)

    found = learn(config, prepare(config, do), do)
    return Published(
        uri="", id=f"{name}{seed}" * 8, name=f"{name} seed={seed} 12-01 04:10:56", started=seed,
        documents=found.documents.digest,
        parameters={}, curves={}, items=pa.table({}), judged=Manifest.model_construct(),
        vectors=tables.load(found.vectors),
    )  # fmt: skip


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> list[Published]:
    folder = tmp_path_factory.mktemp("changed")
    texts = {"2025": documents("a", 1), "2026": documents("f", 2)}
    return [trained(folder, name, lines, seed) for seed in SEEDS for name, lines in texts.items()]


@pytest.fixture(scope="module")
def found(changed: list[Published]) -> Trace:
    return trace.trace(changed, ["mouse", "b3"])


def test_a_planted_change_is_found(found: Trace) -> None:
    """The word moved from one topic to another, beyond chance and alone; its neighbours and its distance say so."""
    before, after = found.paths["mouse"]

    assert [each.word for each in found.moved if each.sure] == ["mouse"]
    assert found.splits == 10
    assert [period.name for period in found.periods] == ["2025", "2026"]
    assert {word[0] for word in before.neighbors[:5]} == {"a"}
    assert {word[0] for word in after.neighbors[:5]} == {"f"}
    assert after.from_first is not None
    assert after.from_first.low > 0.5
    assert found.paths["b3"][1].from_first.high < 0.3  # type: ignore[union-attr]
    assert "mouse" not in [each.word for each in found.still]


def test_shuffled_periods_have_no_change(tmp_path: Path) -> None:
    """The same documents at random in two periods: no word is beyond chance."""
    lines = [*documents("a", 1), *documents("f", 2)]
    np.random.default_rng(0).shuffle(lines)
    halves = {"one": lines[::2], "two": lines[1::2]}
    runs = [trained(tmp_path, name, half, seed) for seed in SEEDS for name, half in halves.items()]

    assert not [each for each in trace.trace(runs, ["mouse"]).moved if each.sure]


def test_one_seed_tells_no_chance(changed: list[Published]) -> None:
    """Without a second seed no word is called sure, and the way to an interval is named."""
    found = trace.trace(changed[:2], ["mouse"])

    assert found.chance is None
    assert found.moved[0].word == "mouse"
    assert not any(each.sure for each in found.moved)
    assert "--set seed=2" in found.certainty


def test_what_cannot_be_traced_is_refused(changed: list[Published]) -> None:
    """One text alone, and a word that no two periods have."""
    with pytest.raises(InputError, match="there is nothing to trace"):
        trace.trace(changed[::2], ["mouse"])
    with pytest.raises(UnknownWord, match="'rat'"):
        trace.trace(changed, ["rat"])


def test_the_page_needs_nothing_else(found: Trace) -> None:
    """A picture for each word, every period, and no address of another file."""
    html = page.traced(found)

    assert html.count("<svg") == 2
    assert "<b>mouse</b>" in html
    assert "src=" not in html
    assert 'href="http' not in html
