"""Cut texts into words as normalization.py does, but normalise each distinct piece of a text once.

ASCII characters that are no letters and no digits separate words by all rules, and no rule looks across one. So texts
are cut there first, with one look-up a byte; the pieces become numbers; and only what is not plain of the distinct
pieces is normalised and cut further. A test compares both ways on random texts.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.text.normalization import BREAK, Rules, normalized, words

WORD = b"0123456789abcdefghijklmnopqrstuvwxyz"
LARGEST = (1 << 31) - 1  # bytes of texts that are cut into pieces: these have offsets of 32 bits
ASCII = 128  # bytes from here on belong to other characters


class Cut(NamedTuple):
    """The words of all texts in a row, as numbers of distinct words, and how many each text has."""

    words: pa.DictionaryArray
    counts: NDArray[np.int64]

    def lists(self) -> tuple[pa.Array, pa.Array]:
        """Return a mask of the texts that contain a word, and the words of these, as `words` does."""
        found = self.counts > 0
        offsets = np.concatenate([[0], np.cumsum(self.counts[found])]).astype(np.int32)
        return pa.array(found), pa.ListArray.from_arrays(pa.array(offsets), self.words)


def cut(text: pa.Array, rules: Rules) -> Cut:
    """Return the words of each text; a null has none."""
    if rules.pattern is None and text.nbytes <= LARGEST:
        return _by_pieces(text, rules)
    found, lists = words(normalized(text, rules.lowercase), rules)
    counts = np.zeros(len(text), np.int64)
    counts[pc.fill_null(found, False).to_numpy(zero_copy_only=False)] = pc.list_value_length(lists).to_numpy()
    return Cut(_numbered(lists.flatten()), counts)


def _by_pieces(text: pa.Array, rules: Rules) -> Cut:
    content, ends = _content(text)
    marked = content.translate(_separators(lowercase=rules.lowercase))
    inside = np.frombuffer(marked, np.uint8) != 0
    begins = inside.copy()
    begins[1:] &= ~inside[:-1]
    first = ends[:-1][ends[:-1] < len(inside)]
    begins[first] = inside[first]  # no word crosses the end of a text
    starts = np.flatnonzero(begins)

    # A piece reaches to the next one: its separators are removed from the distinct pieces, which are fewer.
    offsets = np.append(starts, len(marked)).astype(np.int32)
    pieces = pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(marked))
    numbered = pieces.dictionary_encode()
    distinct, lengths = _cut_further(pc.ascii_rtrim(numbered.dictionary, BREAK), rules)
    before = np.searchsorted(starts, ends)
    if (lengths == 1).all():
        return Cut(_renumbered(distinct, numbered.indices.to_numpy()), np.diff(before))
    places, counts = _expanded(numbered.indices.to_numpy(), lengths)
    return Cut(_renumbered(distinct, places), np.diff(np.append(0, np.cumsum(counts))[before]))


def _content(text: pa.Array) -> tuple[bytes, NDArray[np.int64]]:
    """Return the bytes of all texts, and where each begins and the last one ends."""
    text = pc.fill_null(text, "").cast(pa.large_string())
    _, offsets, content = text.buffers()
    ends = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
    return (bytes(content[int(ends[0]) : int(ends[-1])]) if content else b""), ends - ends[0]


def _separators(*, lowercase: bool) -> bytes:
    """Return the table for bytes.translate: zero for what separates words."""
    kept = WORD if lowercase else WORD + WORD.upper()
    plain = (bytes([byte]).lower() if lowercase else bytes([byte]) for byte in range(ASCII))
    return b"".join(byte if byte in kept else b"\0" for byte in plain) + bytes(range(ASCII, 256))


def _cut_further(pieces: pa.Array, rules: Rules) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the words of all pieces in a row, and how many each piece has: one, if it is plain."""
    lengths = np.ones(len(pieces), np.int64)
    other = pc.invert(pc.string_is_ascii(pieces))
    if rules.digits != "keep":
        other = pc.or_(other, pc.match_substring_regex(pieces, "[0-9]"))
    chosen = other.to_numpy(zero_copy_only=False)
    if not chosen.any():
        return pieces, lengths
    found, lists = words(normalized(pieces.filter(other).cast(pa.large_string()), rules.lowercase), rules)
    lengths[chosen] = 0
    lengths[np.flatnonzero(chosen)[found.to_numpy(zero_copy_only=False)]] = pc.list_value_length(lists).to_numpy()
    # the plain pieces, then the words of the others, brought into the order of the pieces
    every = pa.concat_arrays([pieces.filter(pc.invert(other)), lists.flatten().cast(pa.string())])
    order = np.argsort(np.repeat(chosen, lengths), kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return every.take(pa.array(place)), lengths


def _expanded(pieces: NDArray[np.int32], lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each word of these pieces, its place in the row of words; and for each piece how many it has."""
    counts = lengths[pieces]
    shift = (np.cumsum(lengths) - lengths)[pieces] - (np.cumsum(counts) - counts)
    return np.arange(counts.sum()) + np.repeat(shift, counts), counts


def _numbered(words: pa.Array) -> pa.DictionaryArray:
    numbered = words.dictionary_encode()
    return pa.DictionaryArray.from_arrays(numbered.indices, numbered.dictionary.cast(pa.string()))


def _renumbered(distinct: pa.Array, places: NDArray[np.integer]) -> pa.DictionaryArray:
    """Return the words at these places of a row in which a word may be repeated, numbered by it."""
    numbered = _numbered(distinct)
    return pa.DictionaryArray.from_arrays(pa.array(numbered.indices.to_numpy()[places]), numbered.dictionary)
