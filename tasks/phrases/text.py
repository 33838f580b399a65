"""Texts as rows of words, and their phrases joined to words of their own."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.datasets import contracts
from tasks.errors import InputError
from w2v_core.phrases import Alphabet, chosen


class Text(NamedTuple):
    """Rows of words as Parquet stores them: the distinct words, and for each word of the text its id and its row."""

    words: pa.Array
    id: NDArray[np.int32]
    row: NDArray[np.int64]
    rows: int

    def lists(self) -> pa.Array:
        """Return the rows as lists of words."""
        offsets = np.searchsorted(self.row, np.arange(self.rows + 1))
        values = pa.DictionaryArray.from_arrays(pa.array(self.id.astype(np.int32)), self.words)
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)

    def ids(self, words: pa.Array) -> NDArray[np.int64]:
        """Return the id of each word of the text among these words, −1 for others."""
        found = pc.index_in(self.words, value_set=words).fill_null(-1).to_numpy(zero_copy_only=False)
        return np.take(found.astype(np.int64), self.id)


class Joiner:
    """Joins phrases in texts: those of one pass, with the columns `phrase` and `words` of the contract."""

    def __init__(self, phrases: pa.Table, connectors: Sequence[str]) -> None:
        """Raise InputError if there are too many different words in phrases."""
        lists = phrases["words"].to_pylist()
        distinct = sorted({*connectors, *(word for words in lists for word in words)})
        self._words, self._alphabet = pa.array(distinct, pa.string()), alphabet(distinct, connectors)
        ids = {word: number for number, word in enumerate(distinct)}
        keys = np.array([self._alphabet.key([ids[word] for word in words]) for words in lists], np.int64)
        order = np.argsort(keys)
        self._keys, self._joined = keys[order], phrases["phrase"].combine_chunks().take(pa.array(order))

    def __call__(self, text: Text) -> Text:
        """Return the text with its phrases as words."""
        if not len(self._keys):
            return text
        pairs = self._alphabet.pairs(text.ids(self._words), text.row)
        place = np.minimum(np.searchsorted(self._keys, pairs.key), len(self._keys) - 1)
        taken = chosen(pairs, self._keys[place] == pairs.key)
        first, last = pairs.first[taken], pairs.last[taken]
        id = text.id.astype(np.int32)
        id[first] = len(text.words) + place[taken]
        inside = np.zeros(len(id) + 1, np.int8)  # +1 where the rest of a phrase begins, −1 behind it
        inside[first + 1] += 1
        inside[last + 1] -= 1
        left = np.cumsum(inside[:-1], dtype=np.int8) == 0
        return Text(pa.concat_arrays([text.words, self._joined]), id[left], text.row[left], text.rows)


def read_text(file: Path) -> Text:
    """Return a file of tokens as a text. Raises ContractError if it is none."""
    return text_of(contracts.read(file, contracts.TOKENS, ["tokens"])["tokens"].combine_chunks())


def text_of(lists: pa.Array) -> Text:
    """Return lists of words as a text."""
    values = pc.list_flatten(lists)
    if not isinstance(values, pa.DictionaryArray):
        values = values.dictionary_encode()
    row = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy(zero_copy_only=False))
    return Text(values.dictionary.cast(pa.string()), values.indices.to_numpy(), row, len(lists))


def with_phrases(text: Text, joiners: Sequence[Joiner]) -> Text:
    """Return the text with the phrases of each pass as words."""
    for joiner in joiners:
        text = joiner(text)
    return text


def alphabet(words: Sequence[str], connectors: Sequence[str]) -> Alphabet:
    """Return the numbering of pairs of these words. Raises InputError if they are too many."""
    try:
        return Alphabet(np.isin(np.array(words, object), np.array(connectors, object)))
    except OverflowError as error:
        raise InputError(
            "phrases: too many words to count pairs of them\nexpected  fewer words, or fewer connectors\n"
            f"found     {error}\nRaise phrases.min_count, or name fewer phrases.connectors."
        ) from error
