"""fastText's own format: the bytes that fastText and gensim read."""

import struct
from pathlib import Path

import numpy as np
import pytest
from gensim.models.fasttext import load_facebook_vectors

from configs.loading import ConfigError
from tasks.errors import InputError
from tasks.vectors import formats
from tasks.vectors.tables import WordVectors
from w2v_core.model import Model, initial, with_parts
from w2v_core.subwords import Grams, parts

WORDS = ["where", "naïve", "東京"]


def learnt() -> tuple[Model, WordVectors]:
    rng = np.random.default_rng(0)
    model = with_parts(initial(3, 4, rng=rng), parts(WORDS, Grams(3, 4, 100_000), 4), rng=rng)
    assert model.parts
    table = np.ascontiguousarray(model.composed().input)
    return model, WordVectors(WORDS, np.array([9, 5, 2]), table, None, model.parts.subwords)


def test_the_file_is_what_fasttext_writes(tmp_path: Path) -> None:
    """Header, dictionary, the rows of the words and of all buckets, and an output matrix, spelled out with struct."""
    model, found = learnt()
    assert model.parts
    [path] = formats.write("fasttext-bin", tmp_path / "model.bin", found)
    content = path.read_bytes()
    head = struct.unpack_from("<2i12id3i2q", content)
    words = b"".join(word.encode() + b"\0" + struct.pack("<qb", n, 0) for word, n in zip(WORDS, [9, 5, 2], strict=True))
    begin = struct.calcsize("<2i12id3i2q")
    rows = np.frombuffer(content, "<f4", 100_003 * 4, begin + len(words) + 17).reshape(-1, 4)

    assert head[:3] == (793712314, 12, 4)
    assert head[10:13] == (100_000, 3, 4)
    assert head[15:] == (3, 3, 0, 16, -1)
    assert content[begin : begin + len(words)] == words
    assert struct.unpack_from("<b2q", content, begin + len(words)) == (0, 100_003, 4)
    np.testing.assert_allclose(rows[:3], model.input, atol=1e-5)
    assert (rows[3 + model.parts.subwords.bucket] == model.parts.table).all()
    assert np.count_nonzero(rows[3:].any(axis=1)) == len(model.parts.table)
    assert len(content) == begin + len(words) + 2 * 17 + 100_003 * 16 + 3 * 16


def test_vectors_of_whole_words_are_refused(tmp_path: Path) -> None:
    """Without n-grams there is nothing that this format is for; the message names the key that makes them."""
    with pytest.raises(InputError, match="expected  vectors of subwords"):
        formats.write("fasttext-bin", tmp_path / "model.bin", learnt()[1]._replace(subwords=None))


def test_the_name_must_end_as_the_format_does(tmp_path: Path) -> None:
    """`.bin` is word2vec's binary format, unless --format names fastText's."""
    assert formats.format_of(Path("a.bin"), None) == "binary"
    assert formats.format_of(Path("a.bin"), "fasttext-bin") == "fasttext-bin"
    with pytest.raises(ConfigError, match="does not match the format"):
        formats.format_of(Path("a.vec"), "fasttext-bin")


def test_gensim_gives_the_same_vectors(tmp_path: Path) -> None:
    """Words of the vocabulary and words never seen, in any script, have our vectors there."""
    _, found = learnt()
    assert found.subwords
    formats.write("fasttext-bin", tmp_path / "model.bin", found)
    theirs = load_facebook_vectors(str(tmp_path / "model.bin"))

    assert theirs.index_to_key == WORDS
    np.testing.assert_allclose([theirs[word] for word in WORDS], found.table, atol=1e-6)
    unseen = ["somewhere", "naïf", "東京都"]
    np.testing.assert_allclose([theirs[word] for word in unseen], found.subwords.of(unseen), atol=1e-6)
