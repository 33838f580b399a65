"""The Hugging Face folder is loaded by the libraries it is made for, and makes words of a text as the training did."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model2vec import StaticModel
from safetensors import safe_open
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tasks.errors import InputError
from tasks.text import normalization
from tasks.text.normalization import Rules
from tasks.vectors import huggingface, tokenizer
from tasks.vectors.about import About, Score

WORDS = ["the", "naïve", "東京", "new_york"]
COUNTS = np.array([9, 5, 2, 1])
TABLE = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
ABOUT = About(
    "vectors/3, run 5a77", "wikipedia", "enwiki.xml", "d1", {"training.epochs": "5", "seed": "1"},
    (Score("similarity/simlex", 0.31, 0.25, 0.36, 0.9),), "c1", "w2v 0.1.0", "cc-by-sa-4.0",
)  # fmt: skip
TEXT = Rules()
SAMPLES = [
    "The naïve one's 42 cats, in NEW YORK", "ΟΔΥΣΣΕΥΣ σε Ὀδυσσεύς Σ", "İstanbul I\u0307 ılık", "sof\u00adt \ufeffmark",
    "नमस्ते दुनिया", "می\u200cخواهم \u200c\u200d x", "e\u0301 \u0301a ́ b", "Straße ẞ ﬁ Å", "٣ ४ ² ½ x9y", "a_b __ c-d",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    huggingface.write(tmp_path, WORDS, COUNTS, TABLE, TEXT, ABOUT)
    return tmp_path


def test_model2vec_gives_the_mean_of_the_words(folder: Path) -> None:
    """A text's vector is the mean of its known words' vectors, and a word's is its own."""
    model = StaticModel.from_pretrained(folder)
    found = model.encode(["The, NAÏVE unheard", "東京", "unheard"])

    np.testing.assert_allclose(found, [TABLE[:2].mean(axis=0), TABLE[2], np.zeros(3)], rtol=1e-6)
    assert model.tokens == (*WORDS, "[UNK]")
    assert not model.normalize


def test_safetensors_has_the_very_numbers(folder: Path) -> None:
    """Rows are the words' vectors bit for bit, then zeros; the metadata say whose vectors they are."""
    table = load_file(folder / "model.safetensors")["embeddings"]
    with safe_open(folder / "model.safetensors", "np") as opened:
        said = opened.metadata()

    assert table[:-1].tobytes() == TABLE.tobytes()
    assert not table[-1].any()
    assert said == {"format": "pt", "w2v": "vectors/3, run 5a77"}


def test_the_card_says_what_was_asked_of_it(folder: Path) -> None:
    """Licence and tags for the Hub; run, text, digests, settings and scores for people."""
    card = (folder / "README.md").read_text(encoding="utf-8")

    assert card.startswith('---\nlicense: "cc-by-sa-4.0"\ntags: ["word2vec", ')
    for said in (
        "# wikipedia", "| vectors of | vectors/3, run 5a77 |", "| words | 4, of 17 occurrences in the text |",
        "| text | enwiki.xml |", "| certificate | `c1` (BLAKE2b-128) of the run's `reproducibility.json` |",
        "| `similarity/simlex` | 0.31 | 0.25 … 0.36 | 90% |", "| training.epochs | 5 |", "joined by `_`",
    ):  # fmt: skip
        assert said in card


def test_a_card_without_licence_or_run_says_so(tmp_path: Path) -> None:
    """Nothing is invented where nothing is known."""
    huggingface.write(tmp_path, WORDS, COUNTS, TABLE)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")

    assert "license:" not in card
    assert "| licence of the text | not stated" in card
    assert "| vectors of | not known |" in card


def test_the_same_vectors_give_the_same_bytes(tmp_path: Path) -> None:
    """Each file of two exports is equal, and the files are those that may be replaced."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        huggingface.write(tmp_path / name, WORDS, COUNTS, TABLE, TEXT, ABOUT)

    assert {each.name for each in (tmp_path / "one").iterdir()} == set(huggingface.FILES)
    for name in huggingface.FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def words_of(text: str, rules: Rules) -> list[str]:
    """The words that `tokenizers` makes of a text, known or not."""
    made = tokenizer.of(["x"], rules)
    cutter = Tokenizer.from_str(json.dumps(made))
    normal = cutter.normalizer.normalize_str(text) if cutter.normalizer else text
    return [word for word, _ in cutter.pre_tokenizer.pre_tokenize_str(normal)] if normal else []


@pytest.mark.parametrize(
    "rules",
    [TEXT, Rules(lowercase=False), Rules(digits="drop"), Rules(digits="spell"), Rules(pattern=r"[\p{L}']+|#\d+")],
)
def test_words_are_those_of_the_training(rules: Rules) -> None:
    """Case, composition, invisible characters, joiners, marks, the final sigma and digits: as the pipeline has them."""
    for text in SAMPLES:
        assert words_of(text, rules) == normalization.forms([text], rules)[0]


@given(st.text(st.sampled_from("aAσΣς\u0301\u0307\u200c\u00ad \u0130I.9٣éÉ_東\u0e01\ufeff"), max_size=12))
def test_words_are_those_of_the_training_for_any_text(text: str) -> None:
    """The steps in Oniguruma's and in RE2's expressions agree on every mixture of what is special."""
    assert words_of(text, TEXT) == normalization.forms([text], TEXT)[0]


def test_phrases_can_be_named(folder: Path) -> None:
    """A text that joins a phrase as the vocabulary does gets its vector."""
    assert StaticModel.from_pretrained(folder).encode("in New_York").tolist() == TABLE[3].tolist()


def test_items_are_lines(tmp_path: Path) -> None:
    """An id with blanks and capitals is one word, a basket has one a line, and an id with a line's end is refused."""
    items = Rules(lowercase=False, kind="items")
    words = ["Red wine, 75 cl", "#1"]
    huggingface.write(tmp_path, words, COUNTS[:2], TABLE[:2], items)
    model = StaticModel.from_pretrained(tmp_path)

    np.testing.assert_allclose(model.encode("#1\nRed wine, 75 cl"), TABLE[:2].mean(axis=0), rtol=1e-6)
    with pytest.raises(InputError, match=r"(?s)word 1 cannot be.*ids without a line feed.*'a\\nb'"):
        tokenizer.of(["a", "a\nb"], items)


def test_a_word_like_the_sign_for_unknown_ones_is_kept(tmp_path: Path) -> None:
    """The sign takes another form if a word has it already."""
    items = Rules(lowercase=False, kind="items")
    huggingface.write(tmp_path, ["[UNK]", "a"], COUNTS[:2], TABLE[:2], items)

    assert StaticModel.from_pretrained(tmp_path).encode(["[UNK]", "b"]).tolist() == [TABLE[0].tolist(), [0, 0, 0]]
