"""A folder with an index for approximate nearest neighbours (HNSW), which usearch loads or maps.

    index.usearch       key i is word i; the measure is 1 − cosine
    vocabulary.parquet  word, count: row i is key i
    README.md           the model card, with the recall

The recall is measured when the index is written: the mean share, over words evenly spaced by frequency, of the nearest
ones by exact search that the index finds too. One thread adds the words in their order, so that the same vectors give
the same index.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import InputError
from tasks.text.normalization import KEY, Rules
from tasks.vectors.about import NOTHING, About, card
from tasks.vectors.writing import Counts, Table
from w2v_core.measures import similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

INDEX, VOCABULARY, CARD = "index.usearch", "vocabulary.parquet", "README.md"
FILES = (INDEX, VOCABULARY, CARD)
CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 128, 64
NEAREST, ASKED = 10, 1_000  # neighbours of so many words are looked up to measure the recall
TAGS = ["word2vec", "usearch", "hnsw"]
USES = """
```python
import pyarrow.parquet as pq
from usearch.index import Index

words = pq.read_table("FOLDER/vocabulary.parquet")["word"].to_pylist()
index = Index.restore("FOLDER/index.usearch", view=True)  # mapped; view=False loads it
found = index.search(index.get(words.index("WORD")), {more})
[(words[key], 1 - distance) for key, distance in zip(found.keys, found.distances)][1:]
```
""".replace("{more}", str(NEAREST + 1))


def write(
    folder: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None, about: About = NOTHING
) -> list[Path]:
    """Build the index, measure its recall, and write both. Raises InputError if usearch is not installed."""
    index = build(table)
    index.save(str(folder / INDEX))
    columns = pa.table({"word": words, "count": counts})
    kept = {KEY: rules.dumps().encode()} if rules else None
    pq.write_table(columns.replace_schema_metadata(kept), folder / VOCABULARY)
    share, asked = recall(index, table)
    found = (
        f"Of the {NEAREST} nearest words by exact search the index finds {share:.2%}, over {asked:,} words evenly "
        f"spaced by frequency (connectivity {CONNECTIVITY}, expansion {EXPANSION_ADD} when adding and "
        f"{EXPANSION_SEARCH} when searching)."
    )
    said = card(about, words, counts, table.shape[1], rules, f"{USES.strip()}\n\n## Recall\n\n{found}", TAGS)
    (folder / CARD).write_text(said, encoding="utf-8")
    return [folder]


def build(table: Table) -> Any:
    """Return an index of the rows. Raises InputError if usearch is not installed."""
    try:
        from usearch.index import Index
    except ImportError as error:
        raise missing() from error
    index = Index(
        ndim=table.shape[1],
        metric="cos",
        dtype="f32",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )
    index.add(np.arange(len(table), dtype=np.uint64), np.ascontiguousarray(table), threads=1)
    return index


def missing() -> InputError:
    """Return the error for a machine without usearch."""
    return InputError(
        "an index needs the package usearch\nexpected  usearch to be installed\nfound     no such package\n"
        "Install the extra `index`: pip install 'w2v-retraining[index]', or pip install usearch."
    )


def recall(index: Any, table: Table) -> tuple[float, int]:
    """Return the share of the nearest words that the index finds, and how many words were asked for theirs."""
    rows: NDArray[np.intp] = np.unique(np.linspace(0, len(table) - 1, min(ASKED, len(table))).astype(np.intp))
    exact = similarity.Vectors(table).most_similar(rows, NEAREST).word
    found = index.search(np.ascontiguousarray(table[rows]), min(NEAREST + 1, len(table)), threads=1)
    hits = [
        len({*near} & {*keys})
        for near, keys in zip(exact.tolist(), found.keys.reshape(len(rows), -1).tolist(), strict=True)
    ]
    return sum(hits) / max(1, exact.size), len(rows)
