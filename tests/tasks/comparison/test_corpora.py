"""The differences of two corpora, by hand on a few words."""

import numpy as np
import pytest

from tasks.comparison import corpora
from tasks.comparison.corpora import CorpusCounts, News
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tests.support.trained import dataset

WORDS = {"sea": 400, "sky": 300, "sun": 200, "fog": 100}


def corpus(documents: int, **counts: int) -> CorpusCounts:
    return CorpusCounts(documents, sum(counts.values()), list(counts), np.array(list(counts.values())))


def news(**counts: int) -> News:
    return corpora.compare("1", corpus(10, **WORDS), corpus(12, **counts), 0.25)


def test_the_same_again_is_no_news() -> None:
    """Twice the text with the same frequencies differs only in size."""
    found = news(**{word: 2 * count for word, count in WORDS.items()})

    assert (found.documents, found.tokens) == ((10, 12), (1_000, 2_000))
    assert found.counted == (0, 0, 0)
    assert found.divergence == pytest.approx(0)


def test_words_that_came_went_and_burst() -> None:
    """Fog vanished, rain and hail appeared, the sun is three times as frequent; the sky, 1.5 times, is no burst."""
    found = news(sun=600, sky=450, sea=100, rain=30, hail=20)

    assert (found.appeared, found.vanished, found.burst) == (["rain", "hail"], ["fog"], ["sun"])
    assert found.counted == (2, 1, 1)
    assert 0 < found.divergence < 1
    assert str(found) == (
        "Against the corpus of version 1: 12 documents (+2), 1,200 tokens (+200); 25.00% of the tokens outside its "
        f"vocabulary; word frequencies diverge by {found.divergence:.4f} bits (Jensen–Shannon); "
        "2 words appeared (rain hail), 1 words vanished (fog), 1 words burst (sun)."
    )


def test_chance_is_no_burst() -> None:
    """Three times two occurrences may be chance and are no burst."""
    before, now = corpus(1, sea=998, fog=2), corpus(1, sea=994, fog=6)

    assert corpora.compare("1", before, now, 0).burst == []


def test_tokens_outside_a_vocabulary(context: Context) -> None:
    """Every occurrence counts, in every file, also of words too rare for a vocabulary."""
    parts = {
        f"part-0000{number}.parquet": (contracts.TOKENS, {"document": [0], "tokens": [words]})
        for number, words in enumerate([["sea", "fog", "fog"], ["sea", "rain"]])
    }

    assert corpora.outside(dataset(context, "tokenization", parts, {}).files(), ["sea", "rain"]) == 2 / 5
