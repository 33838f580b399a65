"""Tokenization finds words of any script as slow Python does, and accounts for every document."""

import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Runtime, Tokenization
from tasks.datasets import contracts
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft
from tasks.errors import InputError
from tasks.text import patterns, segmenters
from tasks.tokenization import clauses, scripts, tokenization, tokenize

# assigned characters only, for Python and pyarrow may know different editions of Unicode; more weight on telling ones
ANY = st.characters(exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\0")
TELLING = st.sampled_from(list("aAéE\u0301ßİΣς漢字नि1٣²Ⅷ½.!?。 \n'-_\u200c\u200d\u00a0\u00ad\u200e\ufeff\ufe0f"))
JOINERS = "\u180e\u200c\u200d"
INVISIBLE = {*map(chr, (0xAD, 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2065)))}
INVISIBLE |= {*map(chr, (*range(0x2066, 0x2070), 0xFEFF))}
TEXT = st.text(ANY | TELLING, max_size=30)


def words(text: str, **options: object) -> list[list[str]]:
    config = Tokenization(**options)
    return tokenize(pa.array([0]), pa.array([text], pa.large_string()), config)["tokens"].to_pylist()


def slow_words(text: str, is_part: Callable[[str], bool]) -> list[list[str]]:
    """Return the words: other characters end a word, a mark follows a letter, a joiner has one on each side."""
    found, waiting = [""], ""
    for character in unicodedata.normalize("NFC", "".join(c for c in text if c not in INVISIBLE)):
        if character in JOINERS:
            waiting += character if found[-1] else ""
        elif is_part(character) and (found[-1] or not is_mark(character)):
            found[-1] += waiting + character
            waiting = ""
        else:
            found.append("")
            waiting = ""
    return [row] if (row := [word for word in found if word]) else []


def is_word_character(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The quick brown fox.", ["the", "quick", "brown", "fox"]),
        ("don't stop-gap e-mail_address", ["don", "t", "stop", "gap", "e", "mail", "address"]),
        ("ÉTÉ Straße naïve", ["été", "straße", "naïve"]),
        ("Привет, мир!", ["привет", "мир"]),
        ("हिन्दी में", ["हिन्दी", "में"]),  # vowel signs and the virama are marks
        ("日本語のテキスト。東京", ["日本語のテキスト", "東京"]),
        ("مَرْحَبًا ٣٤", ["مَرْحَبًا", "٣٤"]),
        ("e\u0301te\u0301 \u212bngström", ["été", "ångström"]),  # composed, however typed
        ("H\u0331 h\u0331 \u1e96", ["\u1e96"] * 3),  # only the small letter has a composed form
        ("İstanbul I\u0307stanbul i\u0307stanbul Istanbul", ["istanbul"] * 4),
        ("ΟΔΟΣ οδός, Σ ΣΑΣ! σας", ["οδος", "οδός", "σ", "σας", "σας"]),
        ("GROẞ groß", ["groß", "groß"]),
        ("می\u200cخواهم \u200cکتاب\u200c", ["می\u200cخواهم", "کتاب"]),  # a joiner joins only what is on both sides
        ("क\u094d\u200dष", ["क\u094d\u200dष"]),
        ("hy\u00adphen\u00adation \u00ad so\u2060ft\u200e", ["hyphenation", "soft"]),
        ("the\u200bend", ["the", "end"]),  # a space without width is a space
        ("\ufeffthe end\ufeff", ["the", "end"]),
        ("❤\ufe0f 👩\u200d💻 1\ufe0f\u20e3", ["1\ufe0f\u20e3"]),  # no word is a mark alone
        ("x² ½ Ⅷ 42nd", ["x²", "½", "ⅷ", "42nd"]),
        (" …—“”\u200b ", None),
        ("", None),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str] | None) -> None:
    """Letters, marks and digits make words; other characters separate; a text without words has no row."""
    assert words(text) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("keep", ["in", "1984", "a4", "٤٢", "x²"]),
        ("spell", ["in", "one", "nine", "eight", "four", "a", "four", "four", "two", "x²"]),
        ("drop", ["in", "a", "x"]),
    ],
)
def test_digits(digits: str, expected: list[str]) -> None:
    """Digits are kept, spelled one by one as in text8 in any script, or dropped, which also separates words."""
    assert words("In 1984, A4: ٤٢ x²", digits=digits) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two. Three!? Four", [["one", "two"], ["three"], ["four"]]),
        ('He said "No." Then left.', [["he", "said", "no"], ["then", "left"]]),
        ("Version 3.14 of www.example.org", [["version", "3", "14", "of", "www", "example", "org"]]),
        ("今日は。元気？はい", [["今日は"], ["元気"], ["はい"]]),
        ("A title\n\nThe text\nruns on", [["a", "title"], ["the", "text", "runs", "on"]]),
        ("... !!! . ", []),
    ],
)
def test_sentences(text: str, expected: list[list[str]]) -> None:
    """A sentence ends at a full stop before white space, at an ideographic one, or at an empty line."""
    assert words(text, sentences=True) == expected


def test_sentences_keep_their_document() -> None:
    """Each row names its document, and a document may have none."""
    texts = pa.array(["A b. C d.", "!", "E."], pa.large_string())

    table = tokenize(pa.array([5, 6, 7]), texts, Tokenization(sentences=True))

    assert table.to_pydict() == {"document": [5, 5, 7], "tokens": [["a", "b"], ["c", "d"], ["e"]]}


@given(TEXT)
def test_words_are_those_of_slow_python(text: str) -> None:
    """For any text, words are the NFC runs of categories L, M and N with inner joiners, by Python's tables."""
    assert words(text, lowercase=False) == slow_words(text, is_word_character)


@given(TEXT)
def test_dropped_digits_are_those_of_slow_python(text: str) -> None:
    """Without the category N, only letters and marks are left."""
    assert words(text, lowercase=False, digits="drop") == slow_words(text, lambda c: unicodedata.category(c)[0] in "LM")


@given(TEXT)
def test_spelled_digits_are_those_of_slow_python(text: str) -> None:
    """Every character with a decimal value becomes its English name."""
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    spelled = "".join(f" {names[v]} " if (v := unicodedata.decimal(c, None)) is not None else c for c in text)

    assert words(text, lowercase=False, digits="spell") == words(spelled, lowercase=False)


@pytest.mark.parametrize("pattern", ["[a-z]+", "a|b", "(?i)(a)(b)?", "a*", r"\S+", "^a", "[ab]{2}", "(?m)^.", "é1?"])
@given(text=st.text("aAbé1() .-\n", max_size=20))
def test_a_pattern_finds_what_re_finds(pattern: str, text: str) -> None:
    """The words are Python's matches of the same expression, without the empty ones."""
    expected = [match[0] for match in re.finditer(pattern, text) if match[0]]

    assert words(text, pattern=pattern, lowercase=False) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", r"missing \)"),
        ("a)(b", "unexpected"),
        (r"(?<=a)b", r"invalid perl operator"),
        (r"(a)\1", "invalid escape sequence"),
    ],
)
def test_a_wrong_pattern_is_told(documents: Dataset, context: Context, pattern: str, reason: str) -> None:
    """The error gives RE2's message and its limits."""
    with pytest.raises(InputError, match=rf"^tokenization\.pattern\nexpected .*\nfound .*{reason}.*\nRE2 has no look-"):
        tokenization.compute(context=context, documents=documents, config=Tokenization(pattern=pattern))


@pytest.mark.parametrize("pattern", ["a*", "a?|b", r"\b", "(?m)^", "(a|)"])
def test_a_pattern_of_nothing_is_refused(documents: Dataset, context: Context, pattern: str) -> None:
    """A pattern that matches the empty string is refused before any work."""
    with pytest.raises(InputError, match=r"^tokenization\.pattern\nexpected .* a character long\nfound .*empty"):
        tokenization.find(context=context, documents=documents, config=Tokenization(pattern=pattern))


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (r"\w+", ["w"]),
        (r"[\w'-]+|\d\d", ["w", "d"]),
        (r"\bfoo\b", ["b"]),
        (r"\S+", ["S"]),
        (r"\\w", []),  # a backslash and a w
        (r"\Q\w\E", []),
        (r"[\p{L}\p{M}]+\.", []),
        (None, []),
    ],
)
def test_a_pattern_that_surprises_is_told(pattern: str | None, told: list[str]) -> None:
    """A warning explains RE2's ASCII classes and what to write instead."""
    warnings = patterns.warnings(pattern)

    assert [re.search(r"in RE2 \\(\w) is .*\. Write .", warning)[1] for warning in warnings] == told


def test_named_classes_are_told() -> None:
    """[[:alpha:]] is ASCII only, and warned about, too."""
    assert "[:alpha:] and similar classes are ASCII only" in patterns.warnings("[[:alpha:]]+")[0]


def test_what_a_warning_advises_is_right() -> None:
    r"""`café` is cut by \w+ and kept whole by the advised pattern."""
    assert words("Café ٣", pattern=r"\w+") == [["caf"]]
    assert words("Café ٣", pattern=r"[\p{L}\p{M}\p{N}_]+") == [["café", "٣"]]


SPACELESS = {
    "我来到北京清华大学": ["我", "来到", "北京", "清华大学"],
    "日本語のテキスト": ["日本語", "の", "テキスト"],
    "ภาษาไทยเป็นภาษา": ["ภาษา", "ไทย", "เป็น", "ภาษา"],
    "ພາສາລາວເປັນພາສາ": ["ພາສາ", "ລາວ", "ເປັນ", "ພາສາ"],
    "ភាសាខ្មែរជាភាសាផ្លូវការ": ["ភាសាខ្មែរ", "ជា", "ភាសាផ្លូវការ"],
    "မြန်မာဘာသာစကားသည်": ["မြန်မာဘာသာ", "စကား", "သည်"],
}


@pytest.mark.parametrize(("clause", "expected"), SPACELESS.items())
def test_clauses_are_cut_by_icu(clause: str, expected: list[str]) -> None:
    """Scripts without spaces are segmented, other words kept; 𠀀 is one character of two UTF-16 units."""
    text = f"Don't x² 𠀀, {clause}。"

    assert words(text) == [["don", "t", "x²", "𠀀", clause]]
    assert words(text, segmenter="icu") == [["don", "t", "x²", "𠀀", *expected]]


@given(st.lists(st.text(ANY | TELLING | st.sampled_from("".join(SPACELESS)), max_size=20), max_size=4))
def test_a_segmenter_loses_no_character(texts: list[str]) -> None:
    """Each text keeps its characters, in its own row."""
    whole, cut = (
        tokenize(pa.array(range(len(texts))), pa.array(texts, pa.large_string()), Tokenization(segmenter=segmenter))
        for segmenter in (None, "icu")
    )

    assert cut["document"].equals(whole["document"])
    assert ["".join(row) for row in cut["tokens"].to_pylist()] == ["".join(row) for row in whole["tokens"].to_pylist()]
    assert all(word for row in cut["tokens"].to_pylist() for word in row)


def test_a_segmenter_and_its_version_are_part_of_the_key(documents: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the segmenter changes the key; without one, the key is as before."""
    inputs = [tokenization.inputs(documents=documents, config=Tokenization(segmenter=each)) for each in (None, "icu")]

    assert "segmenter" not in inputs[0]["config"]
    assert inputs[0]["outside"] is None
    assert set(inputs[1]["outside"]) == {"icu4py", "icu"}


def test_a_segmenter_that_is_missing_is_told(documents: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing segmenter is reported with its installation, when the output is looked up."""
    monkeypatch.setitem(sys.modules, "icu4py", None)

    with pytest.raises(InputError, match=r"tokenization\.segmenter = 'icu'\nexpected .*icu4py\nfound .*\nInstall"):
        tokenization.inputs(documents=documents, config=Tokenization(segmenter="icu"))


def test_clauses_that_become_words_are_told() -> None:
    """A script with a tenth or more of the text is reported with its share, unless a segmenter cuts it."""
    texts = pa.array(["今日は。元気？", "Only English text is here, " * 3, "ภาษาไทย"], pa.large_string())
    shares = clauses(scripts(texts), Tokenization())

    assert segmenters.unspaced(shares) == ""  # 5 and 7 of 95 characters
    shares = clauses(scripts(texts.take([0, 2])), Tokenization())
    assert segmenters.unspaced(shares).startswith(
        "The text is 36% Chinese or Japanese and 50% Thai, which puts no spaces"
    )
    assert clauses(scripts(texts), Tokenization(segmenter="icu")) == {}


TEXTS = ["The first one. It is short.", "12 34", "?!", "Another: a4 b5"]


@stage("demo")
def corpus(config: Tokenization, draft: Draft, context: Context) -> Account:
    """Return two shards of documents, as ingestion writes them."""
    for shard in (0, 1):
        rows = {"document": [2 * shard, 2 * shard + 1], "source": ["a", "b"], "text": TEXTS[2 * shard : 2 * shard + 2]}
        contracts.write(draft.file(f"part-{shard:05d}.parquet"), contracts.DOCUMENTS, pa.table(rows))
    return Account(unit="documents", read=4, written=4)


@pytest.fixture
def documents(context: Context) -> Dataset:
    return corpus.compute(context=context, config=Tokenization())


def test_every_document_is_accounted_for(documents: Dataset, context: Context) -> None:
    """Each shard of documents gives a shard of tokens; a document without words is counted."""
    tokens = tokenization.compute(context=context, documents=documents, config=Tokenization())

    assert [contracts.read(file, contracts.TOKENS).to_pydict() for file in tokens.files()] == [
        {"document": [0, 1], "tokens": [["the", "first", "one", "it", "is", "short"], ["12", "34"]]},
        {"document": [3], "tokens": [["another", "a4", "b5"]]},
    ]
    assert tokens.manifest.account == Account(unit="documents", read=4, written=3, left_out={"without a word": 1})
    assert tokens.manifest.facts == {"tokens": 11, "rows": 3}


def test_sentences_are_rows_not_documents(documents: Dataset, context: Context) -> None:
    """The account counts documents, however many rows they give."""
    manifest = tokenization.compute(context=context, documents=documents, config=Tokenization(sentences=True)).manifest

    assert (manifest.account.written, manifest.facts) == (3, {"tokens": 11, "rows": 4})


def test_a_corpus_without_words_is_told(documents: Dataset, context: Context) -> None:
    """A corpus without words is refused here, since no later stage could name the cause."""
    with pytest.raises(InputError) as error:
        tokenization.compute(context=context, documents=documents, config=Tokenization(pattern="[α-ω]+"))

    assert str(error.value) == (
        "no word in 4 documents\nexpected  matches of tokenization.pattern, '[α-ω]+'\nfound     none\n"
        "Change [tokenization], or check the documents."
    )


def test_threads_change_no_bit(documents: Dataset, tmp_path: Path) -> None:
    """One and four threads give the same bytes."""
    made = [
        tokenization.compute(
            context=Context(runtime=Runtime(workspace=str(tmp_path / str(threads)), threads=threads)),
            documents=documents,
            config=Tokenization(),
        )
        for threads in (1, 4)
    ]

    assert made[0].path != made[1].path
    assert [part.manifest.files for part in made[0].parts] == [part.manifest.files for part in made[1].parts]


def test_a_long_text_is_no_trouble() -> None:
    """A million words in one document come out in order."""
    numbers = np.arange(1_000_000).astype(str).tolist()

    assert words(", ".join(numbers)) == [numbers]


def test_ids_of_items_are_tokens_as_they_are() -> None:
    """Only what ingestion has put between them ends them."""
    texts = pa.array(["Red wine, 75 cl\0#1\0İ  x", "", "one"], pa.large_string())
    found = tokenize(pa.array([4, 5, 6]), texts, Tokenization(kind="items"))

    assert found["tokens"].to_pylist() == [["Red wine, 75 cl", "#1", "İ  x"], ["one"]]
    assert found["document"].to_pylist() == [4, 6]
