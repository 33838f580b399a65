"""tokens → vocabulary: choose the words that get a vector, and the probability to keep each occurrence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.schema import Tokenization, Vocabulary
from tasks.datasets import contracts
from tasks.datasets.word_lists import chosen, list_digest
from tasks.engine.facts import VocabularyFacts
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft
from tasks.engine.threads import ordered_map
from tasks.errors import InputError
from tasks.text.normalization import Rules
from w2v_core.vocabulary import keep_probabilities

TEXT = Tokenization()
MERGED = 16  # parts whose counts are in memory at once, beside the sum


@stage("vocabulary", outside=lambda config: list_digest(config.fixed, "vocabulary.fixed"))
def vocabulary(
    tokens: Dataset, config: Vocabulary, draft: Draft, context: Context, tokenization: Tokenization = TEXT
) -> Account:
    """Write one row per word, by falling count, then word; the account counts occurrences.

    The words of a fixed vocabulary are normalised as `tokenization` normalised the text.
    """
    sizes = [part.manifest.facts["tokens"] for part in tokens.parts]
    parts = _counts.parts(({"tokens": part} for part in tokens.parts), sizes, draft, context)
    counted = sorted_counts(_merged(parts))
    occurrences = pc.sum(counted["count"]).as_py() or 0
    kept = _fixed(counted, config.fixed, tokenization, draft) if config.fixed else frequent(counted, config)
    counts = kept["count"].to_numpy()
    if not counts.any():
        raise InputError(empty(counted, occurrences, config))

    keep = keep_probabilities(counts, config.subsample)
    table = kept.append_column("keep_probability", pa.array(keep))
    contracts.write(draft.file("vocabulary.parquet"), contracts.VOCABULARY, table)
    covered = int(counts.sum())
    found = VocabularyFacts(
        words=len(kept), distinct=len(counted), occurrences=occurrences, covered=covered / occurrences
    )
    draft.facts.update(found)
    reason = "not in the fixed vocabulary" if config.fixed else "rare"
    return Account(unit="occurrences", read=occurrences, written=covered, left_out={reason: occurrences - covered})


@stage("vocabulary")
def _counts(tokens: Dataset, draft: Draft, context: Context) -> Account:
    """Write each word of a part with its count, by word."""
    files = tokens.files()
    shards = []
    for done, shard in enumerate(ordered_map(_count_shard, files, context.threads), start=1):
        shards.append(shard)
        draft.report(done, len(files), f"{len(shard):,} words")
    counted = _summed(shards).sort_by("word") if shards else contracts.COUNTS.schema.empty_table()
    contracts.write(draft.file("counts.parquet"), contracts.COUNTS, counted)
    occurrences = pc.sum(counted["count"]).as_py() or 0
    return Account(unit="occurrences", read=occurrences, written=occurrences)


def _count_shard(file: Path) -> pa.Table:
    words = contracts.read(file, contracts.TOKENS, ["tokens"])["tokens"].combine_chunks().flatten()
    counts = np.bincount(words.indices.to_numpy(), minlength=len(words.dictionary))
    return pa.table({"word": words.dictionary, "count": counts})


def _merged(parts: Sequence[Dataset]) -> pa.Table:
    """Return the sum of the counts of all parts; as integers, their sums do not depend on the order."""
    total = contracts.COUNTS.schema.empty_table()
    for start in range(0, len(parts), MERGED):
        files = [file for part in parts[start : start + MERGED] for file in part.files()]
        total = _summed([total, *(contracts.read(file, contracts.COUNTS) for file in files)])
    return total


def _summed(tables: Sequence[pa.Table]) -> pa.Table:
    joined = pa.concat_tables(table.cast(contracts.COUNTS.schema) for table in tables)
    summed = joined.group_by("word", use_threads=False).aggregate([("count", "sum")])
    return summed.select(["word", "count_sum"]).rename_columns(["word", "count"])


def sorted_counts(counts: pa.Table) -> pa.Table:
    """Return the columns `word` and `count` by falling count, then word."""
    return counts.sort_by([("count", "descending"), ("word", "ascending")])


def frequent(counted: pa.Table, config: Vocabulary) -> pa.Table:
    """Return the words that reach min_count, at most max_size."""
    return counted.filter(pc.field("count") >= config.min_count).slice(0, config.max_size)


def _fixed(counted: pa.Table, path: str, tokenization: Tokenization, draft: Draft) -> pa.Table:
    """Return exactly the user's words, including those that never occur."""
    listed = chosen(path, "vocabulary.fixed", counted["word"], "the text", Rules.of(tokenization))
    draft.facts["listed"] = listed.facts
    words = pa.table({"word": pa.array(listed.words, pa.string())})
    joined = words.join(counted, "word", join_type="left outer")
    filled = joined.set_column(1, "count", pc.fill_null(joined["count"], 0))
    return filled.sort_by([("count", "descending"), ("word", "ascending")]).combine_chunks()


def empty(counted: pa.Table, occurrences: int, config: Vocabulary) -> str:
    """Return the error for a vocabulary without a frequent enough word."""
    best: dict[str, Any] = counted.slice(0, 1).to_pylist()[0] if len(counted) else {"word": "", "count": 0}
    return (
        f"the vocabulary is empty\nexpected  words that occur at least {config.min_count} times\n"
        f"found     {occurrences:,} occurrences of {len(counted):,} words; the most frequent, "
        f"{best['word']!r}, occurs {best['count']} times\n"
        "Use more text, or lower vocabulary.min_count."
    )
