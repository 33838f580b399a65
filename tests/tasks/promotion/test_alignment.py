"""Rotated vectors keep their similarities, also those of words that were never seen."""

import numpy as np

from tasks.promotion.alignment import _turned
from tasks.vectors.tables import WordVectors
from w2v_core.model import initial, with_parts
from w2v_core.subwords import Grams, parts

WORDS = [f"{name}{number}" for number in range(40) for name in ("alpha", "beta", "gamma")]


def test_ngrams_are_rotated_with_the_words() -> None:
    """The cosine of an unseen word with any word of the vocabulary stays as it was."""
    rng = np.random.default_rng(0)
    model = with_parts(initial(120, 6, rng=rng), parts(WORDS, Grams(3, 5, 1_000), 6), rng=rng)
    assert model.parts
    subwords = model.parts.subwords
    before = WordVectors(WORDS, np.ones(120, np.int64), model.composed().input, None, subwords)
    after = _turned("1", before, before._replace(table=rng.standard_normal((120, 6), dtype=np.float32))).vectors
    assert after.subwords

    (unseen,), (turned,) = subwords.of(["alphabet"]), after.subwords.of(["alphabet"])
    assert np.abs(after.table - before.table).max() > 0.01
    np.testing.assert_allclose(after.table @ turned, before.table @ unseen, atol=1e-6)
