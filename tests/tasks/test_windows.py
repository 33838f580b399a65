"""tokens, vocabulary → windows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.schema import Runtime, Vocabulary, Windows
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.errors import InputError
from tasks.held_out import held_out_documents
from tasks.vocabulary import vocabulary
from tasks.windows import windows
from tests.support.corpora import tokens_in_parts, tokens_of
from w2v_core.windows import Windows as Drawn
from w2v_core.windows import pairs

TEXTS = [" ".join(f"w{(7 * document + position) % 40}" for position in range(30)) for document in range(60)]
SHARDS = [TEXTS[:20], TEXTS[20:50], TEXTS[50:]]


def drawn(context: Context, epoch: int | None, *, subsample: float = 0.0, seed: int = 1, **settings: object) -> Dataset:
    tokens = tokens_of(context, SHARDS)
    words = vocabulary.compute(context=context, tokens=tokens, config=Vocabulary(min_count=1, subsample=subsample))
    config = Windows(**{"held_out_fraction": 0.1, **settings})
    return windows.compute(context=context, tokens=tokens, vocabulary=words, config=config, seed=seed, epoch=epoch)


def columns(dataset: Dataset) -> dict[str, NDArray[np.integer]]:
    tables = [contracts.read(file, contracts.WINDOWS) for file in dataset.files()]
    return {name: np.concatenate([table[name].to_numpy() for table in tables]) for name in tables[0].column_names}


def test_all_positions_are_there_in_order(context: Context) -> None:
    """Without subsampling and held-out documents, the centers are the corpus."""
    found = columns(drawn(context, 0, held_out_fraction=0.0))
    words = contracts.read(
        vocabulary.compute(
            context=context, tokens=tokens_of(context, SHARDS), config=Vocabulary(min_count=1, subsample=0.0)
        ).files()[0],
        contracts.VOCABULARY,
    )["word"].to_pylist()

    assert [words[center] for center in found["center"]] == " ".join(TEXTS).split()
    assert (found["document"] == np.repeat(np.arange(60), 30)).all()


def test_training_and_held_out_share_no_document(context: Context) -> None:
    """Each document is in exactly one of the two."""
    training, held_out = (set(columns(drawn(context, epoch))["document"]) for epoch in (0, None))

    assert not training & held_out
    assert training | held_out == set(range(60))


def draws(context: Context, parts: list[list[list[str]]], epoch: int | None, words: Dataset) -> Dataset:
    config = Windows(held_out_fraction=0.1)
    tokens = tokens_in_parts(context, parts)
    return windows.compute(context=context, tokens=tokens, vocabulary=words, config=config, seed=1, epoch=epoch)


@pytest.fixture
def words(context: Context) -> Dataset:
    tokens = tokens_of(context, SHARDS)
    return vocabulary.compute(context=context, tokens=tokens, config=Vocabulary(min_count=1))


def test_a_part_keeps_its_draw_wherever_it_stands(context: Context, words: Dataset) -> None:
    """A corpus that grows at its front or its end draws only the new part, and none twice that it has twice."""
    first, second = SHARDS[:2], SHARDS[2:]
    both, turned, twice = (
        draws(context, parts, 0, words).parts for parts in ([first, second], [second, first], [first] * 2)
    )

    assert turned == [both[1], both[0]]
    assert twice == [both[0]] * 2


def test_documents_stay_held_out_wherever_their_part_stands(context: Context, words: Dataset) -> None:
    """The held-out windows of a corpus are those of its parts, in their order, and no two documents are joined."""
    first, second = SHARDS[:1], SHARDS[1:]
    both, turned = (columns(draws(context, parts, None, words)) for parts in ([first, second], [second, first]))

    assert sorted(both["center"]) == sorted(turned["center"])
    assert len(set(both["document"])) == len(both["document"]) // 30
    assert (np.diff(both["document"]) >= 0).all()


def test_at_least_one_document_is_held_out(context: Context, words: Dataset) -> None:
    """Of twenty documents or more, even if no part chooses one."""
    config = Windows(held_out_fraction=1e-9)
    tokens = tokens_in_parts(context, [SHARDS[:1], SHARDS[1:]])
    made = windows.compute(context=context, tokens=tokens, vocabulary=words, config=config, seed=1, epoch=None)

    assert len(columns(made)["center"]) == 30


def test_a_draw_without_windows_is_refused(context: Context) -> None:
    """A threshold that drops all words is named, before it leads to a division by zero."""
    with pytest.raises(InputError, match=r"no window is left in an epoch\nexpected(?s:.*)Raise vocabulary\.subsample"):
        drawn(context, 0, subsample=1e-12)


def test_radii_are_from_one_to_window(context: Context) -> None:
    """Every radius of a draw lies in 1 … window, and each occurs."""
    assert set(columns(drawn(context, 0, window=3))["radius"]) == {1, 2, 3}


def test_each_epoch_is_another_draw_and_each_seed_too(context: Context) -> None:
    """Other epochs and seeds give other draws; the same ones give the same bytes."""
    digests = [drawn(context, epoch, seed=seed, subsample=0.01).digest for epoch, seed in [(0, 1), (1, 1), (0, 2)]]

    assert len(set(digests)) == 3


def test_threads_change_nothing(context: Context, tmp_path) -> None:
    """One and five threads give the same bytes."""
    other = Context(runtime=Runtime(workspace=str(tmp_path / "other"), threads=5))
    one = Context(runtime=Runtime(workspace=str(tmp_path / "one"), threads=1))

    assert drawn(one, 0, subsample=0.01).digest == drawn(other, 0, subsample=0.01).digest


def test_shards_are_cut_between_documents(context: Context) -> None:
    """A shard has at least shard_rows rows, and no document is in two shards."""
    made = drawn(context, 0, shard_rows=100)
    documents = [set(contracts.read(file, contracts.WINDOWS)["document"].to_pylist()) for file in made.files()]

    assert sum(map(len, documents)) == len(set.union(*documents))
    assert all(file.rows == 120 for file in made.manifest.files[:-1])  # four documents of thirty words


def test_held_out_windows_are_few_and_full(context: Context) -> None:
    """At most held_out_windows rows are judged, with the full radius; the others are only context."""
    radius = columns(drawn(context, None, window=4, held_out_windows=10))["radius"]

    assert sorted(set(radius)) == [0, 4]
    assert (radius == 4).sum() == 10


def test_held_out_documents_stay_when_the_corpus_grows() -> None:
    """Documents held out of the first hundred still are when there are a thousand."""
    assert (held_out_documents(1000, 0.2)[:100] == held_out_documents(100, 0.2)).all()


def test_small_corpora_spare_one_document_or_none() -> None:
    """Below twenty documents none may be held out; from twenty on at least one is."""
    assert held_out_documents(3, 1e-9).sum() == 0
    assert held_out_documents(20, 1e-9).sum() == 1
    assert held_out_documents(20, 0.0).sum() == 0


def test_a_window_wider_than_any_document_reaches_its_ends(context: Context) -> None:
    """It is no error: near a document's end a window is narrower anyway."""
    assert columns(drawn(context, 0, window=31))["radius"].max() > 29


def test_documents_of_one_word_are_refused(context: Context) -> None:
    """The error names the longest document and the next steps."""
    tokens = tokens_of(context, [["a", "a", "b"]])
    words = vocabulary.compute(context=context, tokens=tokens, config=Vocabulary(min_count=1, subsample=0.0))
    with pytest.raises(InputError) as error:
        windows.compute(context=context, tokens=tokens, vocabulary=words, config=Windows(), seed=1, epoch=0)

    assert str(error.value) == (
        "no document has two words with a vector\n"
        "expected  a document of at least 2 known words\n"
        "found     1 in the longest\n"
        "Lower vocabulary.min_count, or make documents longer than a line or a sentence."
    )


def test_without_shrink_every_radius_is_the_window(context: Context) -> None:
    """All distances count alike."""
    assert set(columns(drawn(context, 0, window=3, shrink=False))["radius"]) == {3}


def test_everything_meets_everything_in_a_document(context: Context) -> None:
    """With a bound as long as the documents, each word is in the context of each other one, and of none outside."""
    found = columns(drawn(context, 0, window="document", bound=29, held_out_fraction=0.0))
    first = Drawn(found["document"][:60], found["center"][:60], found["radius"][:60].astype(np.uint8))
    center, context_row = pairs(first)

    assert len(center) == 2 * 30 * 29
    assert (first.document[center] == first.document[context_row]).all()


def test_long_documents_are_drawn_to_a_bound(context: Context) -> None:
    """A word meets at most twice as many others as the bound, others in another epoch, from anywhere around."""
    one, two = (columns(drawn(context, epoch, window="document", bound=4, held_out_fraction=0.0)) for epoch in (0, 1))
    distance = np.abs(np.diff(np.argsort(one["center"][:30])))

    assert set(one["radius"]) == {4}
    assert (one["document"] == two["document"]).all()
    assert (one["center"] != two["center"]).any()
    assert sorted(one["center"][:30]) == sorted(two["center"][:30])
    assert distance.max() > 1


def test_the_last_documents_can_be_held_out(context: Context) -> None:
    """A tenth of sixty documents are the last six, in whatever parts and shards they lie."""
    training, held_out = (set(columns(drawn(context, epoch, held_out="last"))["document"]) for epoch in (0, None))

    assert held_out == set(range(54, 60))
    assert training == set(range(54))


def test_account_balances_by_reason(context: Context) -> None:
    """Words that take part = windows + unknown + subsampled."""
    account = drawn(context, 0, subsample=0.001, held_out_fraction=0.0).manifest.account

    assert account.read == 1800
    assert account.left_out["subsampled"] > 0
    assert account.left_out["unknown"] == 0
