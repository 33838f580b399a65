"""Exports contain the trained vectors in the formats of other programs."""

import itertools
import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from gensim.models import KeyedVectors

from configs.loading import ConfigError
from tasks.errors import InputError
from tasks.text.normalization import Rules
from tasks.vectors import formats
from tests.support.word2vec_files import read_binary, read_text

WORDS = ["the", "naïve", "東京", "don't"]
COUNTS = np.array([9, 5, 2, 1])
TABLE = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz"])
def test_text_comes_back(tmp_path: Path, name: str) -> None:
    """Words come back unchanged, numbers to six digits, gzipped or not."""
    [path] = formats.write_text(tmp_path / name, WORDS, COUNTS, TABLE)
    words, table = read_text(path)

    assert words == WORDS
    np.testing.assert_allclose(table, TABLE, rtol=5e-6)


@pytest.mark.parametrize("name", ["vectors.bin", "vectors.bin.gz"])
def test_binary_comes_back(tmp_path: Path, name: str) -> None:
    """Words and numbers come back bit for bit."""
    [path] = formats.write_binary(tmp_path / name, WORDS, COUNTS, TABLE)
    words, table = read_binary(path)

    assert words == WORDS
    assert table.tobytes() == TABLE.tobytes()


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz", "vectors.bin", "vectors.bin.gz"])
def test_gensim_loads_words_and_counts(tmp_path: Path, name: str) -> None:
    """gensim has the same words, vectors and counts: the .vocab file beside gives it the counts."""
    [path] = formats.WRITERS[formats.format_of(Path(name), None)](tmp_path / name, WORDS, COUNTS, TABLE)
    [counts] = formats.write_vocab(tmp_path / "vectors.vocab", WORDS, COUNTS, TABLE)
    loaded = KeyedVectors.load_word2vec_format(path, fvocab=counts, binary=".bin" in name)

    assert loaded.index_to_key == WORDS
    assert [loaded.get_vecattr(word, "count") for word in WORDS] == COUNTS.tolist()
    np.testing.assert_allclose(loaded.vectors, TABLE, rtol=5e-6)


def test_text_is_what_word2vec_writes(tmp_path: Path) -> None:
    """The first line is "V D", then a line a word, all separated by single spaces."""
    [path] = formats.write_text(
        tmp_path / "v.txt", ["a", "b"], COUNTS[:2], np.array([[1, -0.5], [0, 1e-7]], np.float32)
    )

    assert path.read_text() == "2 2\na 1 -0.5\nb 0 1e-07\n"


def test_binary_is_what_word2vec_writes(tmp_path: Path) -> None:
    """The bytes are those of word2vec's `fprintf("%s ")` and `fwrite`, spelled out with struct."""
    [path] = formats.write_binary(tmp_path / "v.bin", ["a", "b"], COUNTS[:2], np.array([[1, -0.5], [0, 2]], np.float32))

    assert path.read_bytes() == b"2 2\na " + struct.pack("<2f", 1, -0.5) + b"\nb " + struct.pack("<2f", 0, 2) + b"\n"


def test_a_row_may_hold_any_bytes(tmp_path: Path) -> None:
    """Numbers with bytes of spaces and newlines do not end a word early."""
    table = np.frombuffer(b"    \n\n\n\n  \n \n \n ", "<f4").reshape(2, 2)
    [path] = formats.write_binary(tmp_path / "v.bin", ["a", "b"], COUNTS[:2], table)

    assert read_binary(path)[0] == ["a", "b"]
    assert read_binary(path)[1].tobytes() == table.tobytes()


def test_gzip_is_the_same_each_time(tmp_path: Path) -> None:
    """The gzip header contains neither time nor name, so equal vectors give equal digests."""
    [one] = formats.write_text(tmp_path / "one.txt.gz", WORDS, COUNTS, TABLE)
    [two] = formats.write_text(tmp_path / "two.txt.gz", WORDS, COUNTS, TABLE)

    assert one.read_bytes() == two.read_bytes()


def test_parquet_holds_counts_too(tmp_path: Path) -> None:
    """Word, count and vector are exact."""
    [path] = formats.write_parquet(tmp_path / "v.parquet", WORDS, COUNTS, TABLE)
    read = pq.read_table(path)

    assert read["word"].to_pylist() == WORDS
    assert read["count"].to_pylist() == COUNTS.tolist()
    np.testing.assert_array_equal(np.stack(read["vector"].to_numpy()), TABLE)


@pytest.mark.parametrize(
    ("name", "wanted", "format"),
    [
        ("v.txt", None, "text"), ("v.vec", None, "text"), ("V.TXT.GZ", None, "text"), ("v.bin", None, "binary"),
        ("v.bin.gz", None, "binary"), ("v.parquet", None, "parquet"), ("v.npy", None, "npy"),
        ("v.tsv", None, "projector"), ("v.vocab", None, "vocab"),
        ("v.sql.gz", None, "pgvector"), ("v.ndjson", None, "elasticsearch"), ("folder", "huggingface", "huggingface"),
        ("v1.0", "npy", "npy"), ("v", "text", "text"), ("v.gz", "binary", "binary"), ("v.npy", "npy", "npy"),
    ],
)  # fmt: skip
def test_the_name_says_the_format(name: str, wanted: str | None, format: str) -> None:
    """The ending gives the format, also in capitals; a name without one needs --format."""
    assert formats.format_of(Path(name), wanted) == format


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("v", None), ("v1.0", None), ("v.gz", None), ("v.txt.bz2", None), ("v.xz", "text"), ("v.zst", "text"),
        ("v.parquet", "text"), ("v.npy", "text"), ("v.txt", "binary"), ("v.npy.gz", None), ("v.parquet.gz", "parquet"),
        ("v.tsv.gz", None), ("v.npz", "npy"), ("v.csv", "text"), ("v.vocab.gz", None), ("v.bin", "huggingface"),
    ],
)  # fmt: skip
def test_a_name_that_says_something_else_is_refused(name: str, wanted: str | None) -> None:
    """A name with the ending of another format, or of none known, is refused."""
    with pytest.raises(
        ConfigError, match=r"(?s)the format of the export\nexpected  a name that ends with .txt .*\nfound     v"
    ):
        formats.format_of(Path(name), wanted)


@pytest.mark.parametrize("format", list(formats.WRITERS))
def test_each_name_has_files_of_its_own(format: str, tmp_path: Path) -> None:
    """Two exports side by side share no file."""
    made = [formats.WRITERS[format](tmp_path / name, WORDS, COUNTS, TABLE) for name in ("v1.0", "v1.1")]

    assert [files[0].name for files in made] == ["v1.0", "v1.1"]
    assert made == [formats.targets(tmp_path / name, format) for name in ("v1.0", "v1.1")]
    assert len({*made[0], *made[1]}) == len(made[0]) * 2 == len(list(tmp_path.iterdir()))


def test_parquet_keeps_the_rules_of_its_words(tmp_path: Path) -> None:
    """The metadata contain the rules, so that other programs can normalise queries alike."""
    formats.write_parquet(tmp_path / "v", WORDS, COUNTS, TABLE, Rules(digits="spell"))

    assert Rules.read(pq.read_schema(tmp_path / "v").metadata) == Rules(digits="spell")


def test_npy_has_its_words_beside_it(tmp_path: Path) -> None:
    """The matrix loads without pickle, and row i belongs to line i."""
    matrix, labels = formats.write_npy(tmp_path / "v", WORDS, COUNTS, TABLE)

    np.testing.assert_array_equal(np.load(matrix, allow_pickle=False), TABLE)
    assert labels.read_text(encoding="utf-8").splitlines() == WORDS


def test_projector_pair(tmp_path: Path) -> None:
    """The vectors have no header line, the words have one, as TensorBoard expects."""
    vectors, labels = formats.write_projector(tmp_path / "v", WORDS, COUNTS, TABLE)

    np.testing.assert_allclose(np.loadtxt(vectors, delimiter="\t"), TABLE, rtol=5e-6)
    assert labels.read_text(encoding="utf-8").splitlines() == [
        "word\tcount",
        "the\t9",
        "naïve\t5",
        "東京\t2",
        "don't\t1",
    ]


@pytest.mark.parametrize(
    ("formats_of", "words", "without"),
    [
        (["text", "binary", "vocab"], ["new york", "a\tb", "a\u00a0b", ""], "white space"),
        (["npy"], ["a\nb", "a\u2028b", ""], "a tab or an end of line"),
        (["projector"], ["a\tb", "a\rb", ""], "a tab or an end of line"),
    ],
)
def test_a_word_that_a_format_would_cut_is_refused(
    tmp_path: Path, formats_of: list[str], words: list[str], without: str
) -> None:
    """The word is named with its row and the next step, and no file is left."""
    for format, word in itertools.product(formats_of, words):
        with pytest.raises(InputError, match=rf"(?s)word 1 cannot be written .* without {without}.*Export as parquet"):
            formats.WRITERS[format](tmp_path / "v", ["the", word], COUNTS[:2], TABLE[:2])

    assert list(tmp_path.iterdir()) == []


def test_ids_with_blanks_are_written_where_a_line_holds_them(tmp_path: Path) -> None:
    """npy and projector have a word a line."""
    words = ["Red wine, 75 cl", "#1"]
    for format in ("npy", "projector"):
        _, labels = formats.WRITERS[format](tmp_path / format, words, COUNTS[:2], TABLE[:2])

        assert [line.split("\t")[0] for line in labels.read_text().splitlines()][-2:] == words
