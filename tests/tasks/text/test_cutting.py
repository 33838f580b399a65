"""Cutting texts by their distinct pieces gives the words that the rules give for whole texts."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.text import cutting
from tasks.text.cutting import cut
from tasks.text.normalization import Rules, normalized, words

# characters that rules look at together with their neighbours, around those that end a piece
TELLING = st.sampled_from([
    *"aAiIkKzZ019 .,=<>-'_\n\0\x7f", *"σΣςßİéÉ漢字نनि½²٣Ⅷﬁ", *"\u0338\u0301\u0307\u0345\u200c\u200d\u180e\u00ad\ufeff",
    *"\u037e\u0387\u1fef\u2000\u212a\u212b\u1100\u1161\u01c5\U0001d15e\U0001f469",
])  # fmt: skip
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]) | TELLING, max_size=20), max_size=30)
RULES = [
    Rules(),
    Rules(lowercase=False),
    Rules(digits="spell"),
    Rules(digits="drop", lowercase=False),
    Rules(pattern="[a-z]+"),
]


@pytest.mark.parametrize("rules", RULES, ids=str)
@settings(max_examples=40)
@given(texts=TEXTS)
def test_same_words_as_whole_texts(rules: Rules, texts: list[str]) -> None:
    """Whatever the characters, each text has the same words, to the last character, in the same order."""
    text = pa.array(texts, pa.large_string())
    expected = [column.to_pylist() for column in words(normalized(text, rules.lowercase), rules)]

    assert [column.to_pylist() for column in cut(text, rules).lists()] == expected


def test_slices_and_nulls() -> None:
    """A slice of a column has its own texts only, and a null has no word."""
    text = pa.array(["one", "Two", None, "three two", "four"], pa.large_string())

    assert cut(text[1:4], Rules()).lists()[0].to_pylist() == [True, False, True]
    assert cut(text[1:4], Rules()).lists()[1].to_pylist() == [["two"], ["three", "two"]]


def test_texts_too_large_for_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their offsets would not fit into 32 bits: such texts are cut whole, into the same words with the same numbers."""
    text = pa.array(["one Two, É é", "", "two três 2"] * 3, pa.large_string())
    expected = cut(text, Rules(digits="spell"))
    monkeypatch.setattr(cutting, "LARGEST", 10)
    monkeypatch.setattr(cutting, "_by_pieces", pytest.fail)
    found = cut(text, Rules(digits="spell"))

    assert found.words.equals(expected.words)
    assert found.counts.tolist() == expected.counts.tolist()


def test_a_word_has_one_number() -> None:
    """However a word is written, it is one entry of the dictionary."""
    found = cut(pa.array(["É é e\u0301, É. Été été"], pa.large_string()), Rules()).words

    assert found.dictionary.to_pylist() == ["é", "été"]
    assert found.indices.to_pylist() == [0, 0, 0, 0, 1, 1]
