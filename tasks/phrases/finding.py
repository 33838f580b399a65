"""Find phrases: count words and pairs of them pass by pass, and choose the pairs that score enough.

Counting needs the ids of frequent words only: a phrase is as frequent as its rarest word at most.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from configs.schema import Phrases
from tasks.datasets import contracts
from tasks.phrases.text import Joiner, Text, alphabet
from tasks.text.normalization import DELIMITER
from w2v_core.phrases import Alphabet, npmi, word2phrase

SCORES = {"word2phrase": word2phrase, "npmi": npmi}
Counts = NDArray[np.int64]
Read = Callable[[Sequence[Joiner]], Iterable[Text]]


def find(read: Read, config: Phrases, connectors: Sequence[str]) -> tuple[pa.Table, int]:
    """Return the phrases of all passes, as in the contract, and how many frequent pairs were considered.

    `read` gives the text from its beginning, with the phrases of these joiners as words; it is called twice a pass.
    """
    passes: list[pa.Table] = []
    joiners: list[Joiner] = []
    considered = 0
    for number in range(1, config.passes + 1):
        found, pairs = _pass(read, joiners, number, config, connectors)
        considered += pairs
        passes.append(found)
        joiners.append(Joiner(found, connectors))
    return pa.concat_tables(passes), considered


def _pass(
    read: Read, joiners: Sequence[Joiner], number: int, config: Phrases, connectors: Sequence[str]
) -> tuple[pa.Table, int]:
    words, count, total = _frequent(read(joiners), config.min_count, connectors)
    numbering = alphabet(words, connectors)
    keys, pair = _count_pairs(read(joiners), words, numbering)
    enough = pair >= config.min_count
    keys, pair = keys[enough], pair[enough]
    first, between, last = numbering.parts(keys)
    score = SCORES[config.scoring](pair, count[first], count[last], total, config.min_count)
    rows: list[dict[str, Any]] = []
    for each in np.flatnonzero(score > config.threshold):
        phrase = [words[id] for id in (first[each], *between[each], last[each])]
        about = {"pass": number, "count": int(pair[each]), "score": float(score[each])}
        rows.append({"phrase": DELIMITER.join(phrase), "words": phrase, **about})
    rows.sort(key=lambda row: (-row["count"], row["words"]))
    return pa.Table.from_pylist(rows, contracts.PHRASES.schema), len(keys)


def _frequent(texts: Iterable[Text], least: int, connectors: Sequence[str]) -> tuple[list[str], Counts, int]:
    """Return, sorted, the words that occur `least` times and the connectors; their counts; the number of all words."""
    counted = [pa.table({"word": pa.array([], pa.string()), "count": pa.array([], pa.int64())})]
    total = 0
    for text in texts:
        count = np.bincount(text.id, minlength=len(text.words))
        counted.append(pa.table({"word": text.words, "count": pa.array(count, pa.int64())}))
        total += len(text.id)
        if sum(map(len, counted[1:])) > len(counted[0]):
            counted = [_summed(counted)]
    every = _summed(counted)
    kept = pc.or_(pc.greater_equal(every["count"], least), pc.is_in(every["word"], pa.array(connectors, pa.string())))
    frequent = every.filter(kept).sort_by("word")
    return frequent["word"].to_pylist(), frequent["count"].to_numpy(), total


def _summed(counted: list[pa.Table]) -> pa.Table:
    sums = pa.concat_tables(counted).group_by("word").aggregate([("count", "sum")])
    return pa.table({"word": sums["word"], "count": sums["count_sum"]})


def _count_pairs(texts: Iterable[Text], words: list[str], numbering: Alphabet) -> tuple[Counts, Counts]:
    """Return the pairs of these words, and how often each occurs."""
    known = pa.array(words, pa.string())
    counted: list[tuple[Counts, Counts]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for text in texts:
        key = numbering.pairs(text.ids(known), text.row).key
        counted.append(np.unique(key[key >= 0], return_counts=True))
        if sum(len(keys) for keys, _ in counted[1:]) > len(counted[0][0]):
            counted = [_merged(counted)]
    return _merged(counted)


def _merged(counted: list[tuple[Counts, Counts]]) -> tuple[Counts, Counts]:
    keys, counts = (np.concatenate(column) for column in zip(*counted, strict=True))
    distinct, place = np.unique(keys, return_inverse=True)
    return distinct, np.bincount(place, counts, len(distinct)).astype(np.int64)
