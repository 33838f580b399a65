"""tokens → vocabulary."""

from collections import Counter
from pathlib import Path

import pytest

from configs.schema import Vocabulary
from tasks import _contracts
from tasks._errors import InputError
from tasks._stage import Context
from tasks._store import Account, Dataset
from tasks.vocabulary import vocabulary
from tests.corpora import tokens_of

SENTENCES = ["the cat sat on the mat", "the dog sat", "a cat and a dog"]


def count(context: Context, shards: list[list[str]], **settings: object) -> tuple[Dataset, list[dict[str, object]]]:
    made = vocabulary.compute(context=context, tokens=tokens_of(context, shards), config=Vocabulary(**settings))
    return made, _contracts.read(made.files()[0], _contracts.VOCABULARY).to_pylist()


def test_ids_by_falling_count_then_word(context: Context) -> None:
    """Counted by hand: the 3; a, cat, dog, sat 2; the rest 1."""
    _, rows = count(context, [SENTENCES], min_count=2, subsample=0.0)

    assert [(row["word"], row["count"]) for row in rows] == [("the", 3), ("a", 2), ("cat", 2), ("dog", 2), ("sat", 2)]


def test_counts_are_merged_over_shards(context: Context) -> None:
    """However the documents are cut into shards, the vocabulary is the same, down to its bytes."""
    one, _ = count(context, [SENTENCES], min_count=1)
    three, rows = count(context, [[sentence] for sentence in SENTENCES], min_count=1)

    assert three.digest == one.digest
    assert {row["word"]: row["count"] for row in rows} == Counter(" ".join(SENTENCES).split())


def test_account_is_in_occurrences(context: Context) -> None:
    """14 occurrences, of which on, mat and and are rare."""
    made, _ = count(context, [SENTENCES], min_count=2)

    assert made.manifest.account == Account(unit="occurrences", read=14, written=11, left_out={"rare": 3})


def test_max_size_keeps_the_most_frequent(context: Context) -> None:
    """A bound on the size cuts at the rare end."""
    _, rows = count(context, [SENTENCES], min_count=1, max_size=2)

    assert [row["word"] for row in rows] == ["the", "a"]


def test_fixed_vocabulary_is_kept_whole(context: Context, tmp_path: Path) -> None:
    """The user's words get vectors whether they occur or not, and no other word does."""
    words = tmp_path / "words.txt"
    words.write_text("dog\nunicorn\ndog\n\ncat\n")

    _, rows = count(context, [SENTENCES], fixed=str(words))

    assert [(row["word"], row["count"]) for row in rows] == [("cat", 2), ("dog", 2), ("unicorn", 0)]


def test_edited_fixed_vocabulary_is_another_output(context: Context, tmp_path: Path) -> None:
    """The key holds the content of the list, not its path."""
    words = tmp_path / "words.txt"
    words.write_text("dog\n")
    first, _ = count(context, [SENTENCES], fixed=str(words))
    words.write_text("cat\n")

    second, _ = count(context, [SENTENCES], fixed=str(words))

    assert first.key != second.key


def test_empty_vocabulary_says_what_was_found(context: Context) -> None:
    """The error names the threshold, the most frequent word and the way out."""
    with pytest.raises(InputError) as error:
        count(context, [SENTENCES], min_count=50)

    assert str(error.value) == (
        "the vocabulary is empty\n"
        "expected  words that occur at least 50 times\n"
        "found     14 occurrences of 8 words; the most frequent, 'the', occurs 3 times\n"
        "Give more text, or lower vocabulary.min_count."
    )


def test_missing_fixed_vocabulary_is_named(context: Context) -> None:
    """A word list that is not there is an input error, with its path."""
    with pytest.raises(InputError, match=r"nowhere\.txt: cannot read this word list \(No such file"):
        count(context, [SENTENCES], fixed="nowhere.txt")
