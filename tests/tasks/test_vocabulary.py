"""tokens → vocabulary."""

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from configs.schema import Vocabulary
from tasks import notes
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.engine.store import Account, Dataset
from tasks.errors import InputError
from tasks.vocabulary import vocabulary
from tests.support.corpora import tokens_of

SENTENCES = ["the cat sat on the mat", "the dog sat", "a cat and a dog"]


def count(context: Context, shards: list[list[str]], **settings: object) -> tuple[Dataset, list[dict[str, object]]]:
    made = vocabulary.compute(context=context, tokens=tokens_of(context, shards), config=Vocabulary(**settings))
    return made, contracts.read(made.files()[0], contracts.VOCABULARY).to_pylist()


def test_ids_by_falling_count_then_word(context: Context) -> None:
    """Counted by hand: the 3; a, cat, dog, sat 2; the rest 1."""
    _, rows = count(context, [SENTENCES], min_count=2, subsample=0.0)

    assert [(row["word"], row["count"]) for row in rows] == [("the", 3), ("a", 2), ("cat", 2), ("dog", 2), ("sat", 2)]


def test_counts_are_merged_over_shards(context: Context) -> None:
    """The vocabulary is the same to the byte, however the documents are cut into shards."""
    one, _ = count(context, [SENTENCES], min_count=1)
    three, rows = count(context, [[sentence] for sentence in SENTENCES], min_count=1)

    assert three.digest == one.digest
    assert {row["word"]: row["count"] for row in rows} == Counter(" ".join(SENTENCES).split())


def test_account_is_in_occurrences(context: Context) -> None:
    """Of 14 occurrences, those of on, mat and and are rare."""
    made, _ = count(context, [SENTENCES], min_count=2)

    assert made.manifest.account == Account(unit="occurrences", read=14, written=11, left_out={"rare": 3})


def test_max_size_keeps_the_most_frequent(context: Context) -> None:
    """A limit on the size drops the rarest words."""
    _, rows = count(context, [SENTENCES], min_count=1, max_size=2)

    assert [row["word"] for row in rows] == ["the", "a"]


def test_fixed_vocabulary_is_kept_whole(context: Context, tmp_path: Path) -> None:
    """The user's words get vectors, also if they never occur, and no other word does."""
    words = tmp_path / "words.txt"
    words.write_text("dog\nunicorn\ndog\n\ncat\n")

    _, rows = count(context, [SENTENCES], fixed=str(words))

    assert [(row["word"], row["count"]) for row in rows] == [("cat", 2), ("dog", 2), ("unicorn", 0)]


def test_edited_fixed_vocabulary_is_another_output(context: Context, tmp_path: Path) -> None:
    """The key contains the content of the list, not its path."""
    words = tmp_path / "words.txt"
    words.write_text("dog\n")
    first, _ = count(context, [SENTENCES], fixed=str(words))
    words.write_text("cat\n")

    second, _ = count(context, [SENTENCES], fixed=str(words))

    assert first.key != second.key


def test_empty_vocabulary_says_what_was_found(context: Context) -> None:
    """The error names the threshold, the most frequent word and the next step."""
    with pytest.raises(InputError) as error:
        count(context, [SENTENCES], min_count=50)

    assert str(error.value) == (
        "the vocabulary is empty\n"
        "expected  words that occur at least 50 times\n"
        "found     14 occurrences of 8 words; the most frequent, 'the', occurs 3 times\n"
        "Use more text, or lower vocabulary.min_count."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufeffThe\r\nDOG\r\n\r\nthe\r\n# pets\r\ncat\r\n", ["the", "cat", "dog"]),
        ("\ufeff# pets\ncat\n", ["cat"]),
        (unicodedata.normalize("NFD", "Café\nprêt\n"), ["café", "prêt"]),
        ("cafe\u0301\n#\n", ["café", "#"]),
    ],
)
def test_a_list_is_brought_into_the_form_of_the_text(
    context: Context, tmp_path: Path, text: str, expected: list[str]
) -> None:
    """Capitals, composition, line endings and byte order mark do not matter; a # alone is a word."""
    words = tmp_path / "words.txt"
    words.write_bytes(text.encode())

    _, rows = count(context, [[*SENTENCES, "café prêt café"]], fixed=str(words))

    assert [row["word"] for row in rows] == expected


def test_what_of_a_list_never_occurs_is_told(context: Context, tmp_path: Path) -> None:
    """Words that never occur keep their rows; facts and a note give their number and the first ones."""
    words = tmp_path / "words.txt"
    words.write_text("dog\nUnicorn\ndon't\n")

    made, rows = count(context, [SENTENCES], fixed=str(words))

    assert [(row["word"], row["count"]) for row in rows] == [("dog", 2), ("don't", 0), ("unicorn", 0)]
    assert made.manifest.facts["listed"] == {"words": 3, "unknown": 2, "first": ["Unicorn", "don't"]}
    assert [*notes._of_list("vocabulary.fixed", made.manifest.facts["listed"])] == [
        "vocabulary.fixed: 2 of 3 words of the list are not in the text: Unicorn don't"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the 500\ncat 31\n", "this word list holds counts\nexpected  one word a line\nfound     'the 500'\nRemove"),
        ("the\t500\n", "this word list holds counts"),
        ("kettle\nladder\n", "none of these 2 words is in the text\nexpected  words of the text, whose most frequent "
         "are 'the', 'a', 'cat', 'dog', 'sat'\nfound     'kettle', 'ladder'\nWrite the words of vocabulary.fixed"),
        ("don't\n", "none of these 1 words .*\nexpected .*\nfound     \"don't\" is 2 words there"),
        ("\n", "none of these 0 words .*\nexpected .*\nfound     no words"),
    ],
)  # fmt: skip
def test_a_list_without_a_word_of_the_text_says_why(context: Context, tmp_path: Path, text: str, message: str) -> None:
    """The error names the list as the cause, not vocabulary.min_count."""
    words = tmp_path / "words.txt"
    words.write_text(text)

    with pytest.raises(InputError, match=message):
        count(context, [SENTENCES], fixed=str(words))


def test_missing_fixed_vocabulary_is_named(context: Context) -> None:
    """A missing word list is an input error with its path."""
    with pytest.raises(InputError, match=r"nowhere\.txt: cannot read this word list \(No such file"):
        count(context, [SENTENCES], fixed="nowhere.txt")
