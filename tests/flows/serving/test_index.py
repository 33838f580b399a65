"""`w2v serve --index`: an index proposes neighbours, their cosines are exact, and another table's index is refused."""

from pathlib import Path

import numpy as np
import pytest

from flows.query import vectors
from flows.serving.index import indexed
from tasks.errors import InputError
from tasks.evaluation.judging import Space
from tasks.vectors import index
from tasks.vectors.tables import WordVectors
from w2v_core.measures.similarity import ELEMENTS

WORDS = [f"word{row}" for row in range(3_000)]
TABLE = np.random.default_rng(0).normal(size=(3_000, 16)).astype(np.float32)
LEARNT = WordVectors(WORDS, np.arange(3_000, 0, -1), TABLE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    index.write(folder, WORDS, LEARNT.counts, TABLE)
    return folder


@pytest.fixture(scope="module")
def spaces(folder: Path) -> tuple[Space, Space]:
    """The same vectors, searched exactly and by the index."""
    exact, by_index = Space(LEARNT), Space(LEARNT)
    by_index.vectors = indexed(folder, LEARNT, ELEMENTS)
    return exact, by_index


def test_neighbors_are_those_of_exact_search(spaces: tuple[Space, Space]) -> None:
    """Of 200 words, nearly all neighbours are found, best first, with the very cosines of exact search."""
    exact, found = (vectors.nearest(space, space.query(WORDS[:200]), 10) for space in spaces)
    shared = [len(dict(one).keys() & dict(other).keys()) for one, other in zip(exact, found, strict=True)]

    assert sum(shared) > 0.97 * 2_000
    for one, other in zip(exact, found, strict=True):
        assert {word: cosine for word, cosine in other if word in dict(one)}.items() <= dict(one).items()
        assert [cosine for _, cosine in other] == sorted((cosine for _, cosine in other), reverse=True)
        assert len(other) == 10


def test_words_asked_about_are_no_answers(spaces: tuple[Space, Space]) -> None:
    """Neither a word's neighbours nor an analogy's answers have the words of the question, nor those left out."""
    _, by_index = spaces
    answers = dict(*vectors.analogy(by_index, "word1", "word2", "word3", 50).values())
    [near] = vectors.nearest_to(by_index, TABLE[:1], [{0, 7}], 50)

    assert len(answers) == len(near) == 50
    assert not {"word1", "word2", "word3"} & answers.keys()
    assert not {"word0", "word7"} & dict(near).keys()


def test_more_neighbors_than_words_are_all(spaces: tuple[Space, Space]) -> None:
    """Asked for more than there are, the index gives every other word once."""
    [found] = vectors.nearest(spaces[1], spaces[1].query(["word5"]), 5_000)

    assert len({word for word, _ in found}) == len(found) == 2_999


def test_an_index_of_other_vectors_is_refused(folder: Path, tmp_path: Path) -> None:
    """Other words, other numbers, no index: the error says which, and how to write the right one."""
    others = {
        "an index of other vectors": LEARNT._replace(table=TABLE + 1),
        "found     an index of other": LEARNT._replace(words=[*WORDS[1:], "x"]),
    }
    for said, learnt in others.items():
        with pytest.raises(InputError, match=rf"(?s)--index .*{said}.*Write it again: w2v export .* --format usearch"):
            indexed(folder, learnt, ELEMENTS)
    with pytest.raises(InputError, match=r"--index .*cannot be used"):
        indexed(tmp_path, LEARNT, ELEMENTS)
