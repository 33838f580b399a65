"""Words have one normal form in the corpus and in queries."""

import gzip
import itertools
import json
import re
import sys
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema import Tokenization
from tasks.datasets.word_lists import chosen, read_words
from tasks.errors import InputError
from tasks.evaluation.datasets import set_names
from tasks.text.normalization import SPECIAL, Lookup, Rules, forms, normalized
from tasks.tokenization import tokenize
from tests.support.paths import SHARED

ANY = st.characters(exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\0")
TELLING = st.sampled_from(
    list("aAéEhHsiIıİ\u0301\u0307\u0331ßẞΣσςŞş漢字नि1٣²Ⅷ½.。 '-\u200c\u200d\u00ad\ufeff\ufe0f\u0323")
)
TEXT = st.text(ANY | TELLING, max_size=30)
RULES = [
    Rules(),
    Rules(lowercase=False),
    Rules(digits="spell"),
    Rules(digits="drop"),
    Rules(pattern=r"[\p{L}\p{M}]+"),
    Rules(pattern=r"\S+"),
]


def tokens(text: str, rules: Rules) -> list[str]:
    table = tokenize(pa.array([0]), pa.array([text], pa.large_string()), Tokenization(**rules._asdict()))
    return [word for row in table["tokens"].to_pylist() for word in row]


def cased(word: str, how: str) -> str:
    """Return a text in another case, if that can be undone: STRASSE is not ß, I is not ı."""
    other = "".join(c if getattr(c, how)().lower() != c.lower() else getattr(c, how)() for c in word)
    return other if unicodedata.normalize("NFC", other).lower() == unicodedata.normalize("NFC", word).lower() else word


@pytest.mark.parametrize("rules", RULES, ids=range(len(RULES)))
@settings(max_examples=40)
@given(text=TEXT, form=st.sampled_from(["NFC", "NFD"]))
def test_what_stands_in_the_text_is_found(rules: Rules, text: str, form: str) -> None:
    """Each word of any text is found, typed composed or decomposed, in capitals or not."""
    known = tokens(text, rules)
    lookup = Lookup(known, rules)
    typed = [unicodedata.normalize(form, word) for word in known]
    typed += [
        unicodedata.normalize(form, cased(word, how)) for word in known for how in ("upper", "lower", "swapcase")
    ][: 3 * len(known) * rules.lowercase]

    assert [word for word, row in zip(typed, lookup.rows(typed), strict=True) if row < 0] == []


@given(TEXT)
def test_decomposed_and_composed_text_are_one(text: str) -> None:
    """The composed and decomposed forms of any text have the same words."""
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))

    assert tokens(decomposed, Rules()) == tokens(composed, Rules()) == tokens(text, Rules())


@given(TEXT)
def test_the_form_of_a_form_is_itself(text: str) -> None:
    """Normalising a normalised text changes nothing."""
    once = normalized(pa.array([text], pa.large_string()), lowercase=True)

    assert normalized(once, lowercase=True).equals(once)


def test_no_character_that_nfc_changes_is_passed_over() -> None:
    """The list of characters that NFC may change is complete for all of Unicode."""
    characters = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    changing = {
        each for each in characters if unicodedata.normalize("NFC", each) != each or unicodedata.combining(each)
    }
    for each in characters:
        parts = unicodedata.normalize("NFD", each)
        if len(parts) > 1 and unicodedata.normalize("NFC", parts) == each:
            changing |= {*parts[1:]}
    listed = pa.array(sorted(changing))

    assert listed.filter(pc.invert(pc.match_substring_regex(listed, SPECIAL))).to_pylist() == []


def test_questions_are_cut_as_the_text_was() -> None:
    """Queries follow the rules for digits; one that is not a single word reports what it becomes."""
    assert forms(["7", "covid19", "Don't", "…", "\udce9"], Rules(digits="spell")) == [
        ["seven"], ["covid", "one", "nine"], ["don", "t"], [], []
    ]  # fmt: skip
    assert Lookup(["covid"], Rules(digits="drop")).rows(["COVID-19", "covid"]) == [0, 0]
    assert Lookup(["paris"], Rules(lowercase=False)).rows(["Paris", "paris"]) == [-1, 0]


def test_several_words_are_looked_up_as_a_phrase() -> None:
    """Words that became one in the text are found as people write them; others are still no word."""
    found = Lookup(["new_york", "new", "jean_luc_picard"], Rules())

    assert found.rows(["New York", "new_york", "new-york", "New", "new town", "Jean-Luc Picard", "_"]) == [
        0, 0, 0, 1, -1, 2, -1
    ]  # fmt: skip


def test_without_rules_lower_case_is_looked_up() -> None:
    """Without stored rules, words are looked up in lower case, as before."""
    assert Lookup(["i\u0307stanbul", "Bonn"], None).rows(["İstanbul", "Bonn", "bonn"]) == [0, 1, -1]


def test_rules_are_kept_as_text() -> None:
    """Stored rules are read again; rules of a later version are refused."""
    rules = Rules(digits="drop", pattern="a|b")

    assert Rules.loads(rules.dumps()) == rules
    assert Rules.read(None) is None
    with pytest.raises(ValueError, match="rules of version 3"):
        Rules.loads(rules.dumps().replace('"version": 1', '"version": 3'))


CASES = SHARED / "cases"
ARTICLES = CASES.parent / "data" / "enwiki-2015-articles.jsonl.gz"
beside = pytest.mark.skipif(not CASES.exists(), reason="the cases are not beside the project")


@beside
@pytest.mark.parametrize(
    ("file", "typed"),
    [
        ("nfd.txt", ["café", "crème", "prêt", "naïve", "Zürich", "piñata"]),
        ("persian.txt", ["می\u200cخواهم", "می\u200cسازند", "کتاب\u200cها", "خانه\u200cهای"]),
    ],
)
def test_the_cases_are_found(file: str, typed: list[str]) -> None:
    """Composed and decomposed words, and words with a joiner inside, are found."""
    known = tokens((CASES / file).read_text("utf-8"), Rules())
    asked = [unicodedata.normalize(form, word) for word in typed for form in ("NFC", "NFD")]

    assert -1 not in Lookup(known, Rules()).rows(asked)


@beside
@pytest.mark.parametrize("file", ["wordlist-nfd.txt", "wordlist-bom.txt"])
def test_the_lists_of_the_cases_are_found(file: str) -> None:
    """Every word of the lists that the text contains is found."""
    text = pa.chunked_array([["the", "kettle", "ladder", "café", "crème", "prêt"]], pa.string())
    listed = chosen(str(CASES / file), "vocabulary.fixed", text, "the text", Rules())

    assert (len(listed.words), listed.unknown) == (3, [])


@beside
def test_the_list_of_counts_is_refused() -> None:
    """A list of counts is refused with its first line."""
    with pytest.raises(InputError, match="this word list holds counts"):
        read_words(str(CASES / "wordlist-counts.txt"), "vocabulary.fixed")


@beside
def test_the_sets_of_the_cases_have_names_of_their_own() -> None:
    """Each set has a name in its own script."""
    assert set_names([str(CASES / "相似度.tsv"), str(CASES / "评测集.tsv")]) == ["相似度", "评测集"]


@pytest.mark.skipif(not ARTICLES.exists(), reason="the articles are not beside the project")
def test_istanbul_is_found_in_the_articles() -> None:
    """The city is found in its articles, however its first letter is written in text or query."""
    with gzip.open(ARTICLES, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, 400)]
    known = tokens(" ".join(re.findall(r"İ\w+", " ".join(texts))), Rules())

    assert "istanbul" in known
    assert -1 not in Lookup(known, Rules()).rows(["İstanbul", "i\u0307stanbul", "ISTANBUL", "I\u0307stanbul"])


def test_ids_of_items_have_one_form() -> None:
    """Their own, in look-ups and after the way through a model's metadata, whose version older programs refuse."""
    rules = Rules.loads(Rules.of(Tokenization(kind="items")).dumps())

    assert rules.kind == "items"
    assert json.loads(rules.dumps())["version"] == 2
    assert Lookup(["Red wine, 75 cl"], rules).rows(["Red wine, 75 cl", "red wine, 75 cl"]) == [0, -1]
