"""usearch loads the index, which finds what exact search finds as often as its card says, and is the same each time."""

import re
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from usearch.index import Index

from tasks.errors import InputError
from tasks.text.normalization import Rules
from tasks.vectors import index
from tasks.vectors.about import About

TABLE = np.random.default_rng(0).normal(size=(3_000, 16)).astype(np.float32)
WORDS = [f"word {number}\n" for number in range(len(TABLE))]
COUNTS = np.arange(len(TABLE), 0, -1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    index.write(folder, WORDS, COUNTS, TABLE, Rules(digits="spell"), About("vectors/3, run 5a77"))
    return folder


def test_usearch_finds_what_the_card_says(folder: Path) -> None:
    """The recall of the mapped index over all words, by slow search in NumPy, is that of the card within a percent."""
    found = Index.restore(str(folder / "index.usearch"), view=True).search(TABLE, 11).keys
    unit = TABLE / np.linalg.norm(TABLE, axis=1, keepdims=True)
    exact = np.argsort(-(unit @ unit.T), axis=1)[:, 1:11]
    recall = np.mean([len({*near} & {*keys}) / 10 for near, keys in zip(exact, found, strict=True)])
    said = re.search(r"the index finds ([\d.]+)%, over 1,000 words", (folder / "README.md").read_text())

    assert said
    assert recall > 0.9
    assert float(said[1]) / 100 == pytest.approx(recall, abs=0.01)


def test_keys_are_rows_of_the_vocabulary(folder: Path) -> None:
    """Key i is word i, whatever characters it has; the vectors come back bit for bit, with the rules of the words."""
    words = pq.read_table(folder / "vocabulary.parquet")
    loaded = Index.restore(str(folder / "index.usearch"))

    assert words["word"].to_pylist() == WORDS
    assert words["count"].to_pylist() == COUNTS.tolist()
    assert Rules.read(words.schema.metadata) == Rules(digits="spell")
    assert np.stack(loaded.get(np.arange(len(TABLE), dtype=np.uint64))).tobytes() == TABLE.tobytes()
    assert "run 5a77" in (folder / "README.md").read_text()


def test_the_same_vectors_give_the_same_index(folder: Path, tmp_path: Path) -> None:
    """On one machine, each file has the same bytes again."""
    index.write(tmp_path, WORDS, COUNTS, TABLE, Rules(digits="spell"), About("vectors/3, run 5a77"))

    assert {path.name for path in tmp_path.iterdir()} == set(index.FILES)
    for name in index.FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_few_words_are_an_index_too(tmp_path: Path) -> None:
    """Fewer words than neighbours: each is found."""
    index.write(tmp_path, WORDS[:3], COUNTS[:3], TABLE[:3])

    assert "finds 100.00%, over 3 words" in (tmp_path / "README.md").read_text()


def test_without_usearch_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the command that installs it."""
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(InputError, match=r"(?s)needs the package usearch\nexpected .*\nfound .*\[index\]"):
        index.write(tmp_path, WORDS, COUNTS, TABLE)
