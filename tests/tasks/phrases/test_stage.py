"""Phrases of a text, found and joined by the stages."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from configs.schema import Ingestion, Phrases, Runtime, Tokenization
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.errors import InputError
from tasks.ingestion.stage import ingestion
from tasks.phrases import stage
from tasks.tokenization import tokenization

# `new york` and `bank of america` are always together, `new york city` often; the rest is noise
LINES = ["new york city is here", "the new york times", "a bank of america in new york city", "city of love"] * 6
NOISE = [f"word{number} stands alone here and there" for number in range(200)]
CONFIG = Phrases(passes=2, threshold=20, connectors=["OF", "a", "in"])


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return Context(runtime=Runtime(workspace=str(tmp_path_factory.mktemp("phrases")), threads=2))


def tokens_of(context: Context, lines: list[str]) -> Dataset:
    text = Path(context.runtime.workspace) / f"{len(lines)}.txt"
    text.write_text("\n".join(lines))
    config = Ingestion(source=str(text), text_documents="line")
    return tokenization.compute(
        documents=ingestion.compute(config=config, context=context), config=Tokenization(), context=context
    )


def joined(context: Context, tokens: Dataset, config: Phrases) -> tuple[Dataset, Dataset]:
    about = {"tokens": tokens, "config": config, "tokenization": Tokenization(), "context": context}
    found = stage.phrases.compute(**about)
    return found, stage.join.compute(phrases=found, **about)


def rows(tokens: Dataset) -> list[str]:
    return [" ".join(row) for file in tokens.files() for row in pq.read_table(file)["tokens"].to_pylist()]


def test_phrases_of_two_passes_become_words(context: Context) -> None:
    """Pairs, a phrase over a connector, and a phrase of a phrase; other words stay, and each document has its row."""
    tokens = tokens_of(context, LINES + NOISE)
    found, text = joined(context, tokens, CONFIG)
    table = contracts.read(found.path / stage.FILE, contracts.PHRASES)
    names = dict(zip(table["phrase"].to_pylist(), table["pass"].to_pylist(), strict=True))

    assert rows(text)[:2] == ["new_york_city is here", "the new_york times"]
    assert rows(text)[2:4] == ["a bank_of_america in new_york_city", "city of love"]
    assert (names["new_york"], names["new_york_city"], names["bank_of_america"]) == (1, 2, 1)
    assert len(rows(text)) == len(rows(tokens)) == len(LINES + NOISE)
    assert text.manifest.account == tokens.manifest.account
    assert text.manifest.facts["tokens"] == sum(len(row.split()) for row in rows(text))
    assert found.manifest.facts["phrases"] == len(table)
    assert found.manifest.facts["examples"][0] == "new_york"


def test_a_text_without_phrases_stays(context: Context) -> None:
    """If no pair scores enough, the words are as they were."""
    tokens = tokens_of(context, LINES)
    found, text = joined(context, tokens, Phrases(passes=1, threshold=1e9))

    assert found.manifest.facts == {"phrases": 0, "examples": []}
    assert rows(text) == rows(tokens)


def test_npmi_finds_what_is_always_together(context: Context) -> None:
    """At 0.99 only pairs whose words never occur apart are left, whatever their number."""
    found, _ = joined(context, tokens_of(context, LINES + NOISE), Phrases(passes=1, scoring="npmi", threshold=0.99))
    table = contracts.read(found.path / stage.FILE, contracts.PHRASES)

    assert {"new_york"} <= {*table["phrase"].to_pylist()}
    assert "york_city" not in table["phrase"].to_pylist()


def test_threads_change_nothing(context: Context, tmp_path: Path) -> None:
    """One thread and two give the same digests."""
    one = Context(runtime=Runtime(workspace=str(tmp_path), threads=1))
    digests = [[each.digest for each in joined(c, tokens_of(c, LINES), CONFIG)] for c in (context, one)]

    assert digests[0] == digests[1]


def test_a_connector_is_one_word(context: Context) -> None:
    """A connector that the tokenization would cut is refused, before the text is read."""
    with pytest.raises(InputError, match=r"phrases\.connectors: 'of the'\nexpected  one word(?s:.*)2 words"):
        joined(context, tokens_of(context, LINES), Phrases(passes=1, connectors=["of the"]))
