"""Runs are compared item by item on what both cover; the page opens from a file without a network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.schema import Evaluation, Runtime, Training
from tasks.comparison import page as comparison_page
from tasks.comparison import runs
from tasks.comparison.published import CURVES, MetricCurve, Published
from tasks.comparison.runs import Comparison
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.errors import InputError
from tasks.evaluation import scores
from tasks.evaluation.stage import evaluation
from tasks.vectors import tables
from tasks.vectors.tables import WordVectors
from tests.support.browser import MISSING, Browser, browser
from tests.support.trained import vectors_of, windows_of

WORDS = [f"{name}{number}" for number in range(20) for name in ("alpha", "beta", "gamma")]
SCRIPTY = "</script><b>"  # a word that must not become part of the page


def heaps(seed: int, size: int = 8) -> Any:
    """Return three clusters of twenty words, each along its own axes."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(size, size)))[0]
    return np.tile(axes[:3], (20, 1)) + 0.2 * rng.normal(size=(60, size))


def published(folder: Path, name: str, words: list[str], table: Any, pairs: str) -> Published:
    """Return a run that was judged by a set of pairs and by analogies without an answer."""
    (folder / "pairs.tsv").write_text(pairs)
    (folder / "family.txt").write_text("alpha0 alpha1 beta0 beta1\nalpha0 beta1 alpha3 beta3\n")
    context = Context(runtime=Runtime(workspace=str(folder)))
    config = Evaluation(
        similarity=[str(folder / "pairs.tsv")], analogies=[str(folder / "family.txt")], probes=["beta3"], bootstrap=50
    )
    vectors = vectors_of(context, words, table, counts=list(range(1_000, 1_000 - len(words), -1)))
    judged = evaluation.compute(
        vectors=vectors, held_out=windows_of(context, [0, 0], [0, 1], [1, 1]), config=config, training=Training(),
        window=5, seed=1, context=context,
    )  # fmt: skip
    return Published(
        uri="sqlite:///nowhere.db",
        id=name * 8,
        name=f"run {name}",
        started=0,
        documents="",
        parameters={"seed": name, "training.epochs": "3"},
        curves={metric: MetricCurve([0, 1_000, 2_000], [3.0, 2.0, 1.5]) for metric in CURVES},
        items=contracts.read(judged.files()[0], contracts.EVALUATION),
        judged=judged.manifest,
        vectors=tables.load(vectors),
    )


PAIRS = "alpha0\talpha1\t9\nbeta0\tbeta1\t8\nalpha0\tbeta0\t2\nalpha2\tgamma9\t1\nalpha3\tdelta\t7\nbeta5\tgamma5\t3\n"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Return A and B: B knows delta but not gamma9, has other axes, and has beta3 among the alphas."""
    folder = tmp_path_factory.mktemp("runs")
    first = published(folder, "a", [*WORDS, SCRIPTY], np.vstack([heaps(0), np.ones(8)]), PAIRS)
    moved = heaps(1)
    moved[WORDS.index("beta3")] = moved[WORDS.index("alpha3")] + 0.05
    moved[WORDS.index("gamma9")] = moved[0]
    words = ["delta" if word == "gamma9" else word for word in WORDS]
    second = published(folder, "b", [*words, SCRIPTY], np.vstack([moved, np.ones(8)]), PAIRS)
    return runs.compare([first, second])


def test_only_what_both_cover_counts(comparison: Comparison) -> None:
    """Of six pairs A does not know delta and B not gamma9: the verdict is on the four others, the scores on five."""
    (against,) = comparison.against
    pairs = against.verdicts["similarity/pairs"]

    assert pairs.items == 4
    assert [run.metrics["coverage/pairs"] for run in comparison.runs] == [5 / 6, 5 / 6]
    assert pairs.difference.low <= pairs.difference.value <= pairs.difference.high
    assert against.verdicts["analogy/family.3cosadd"].items == 2
    assert comparison.differing == {"seed": ["a", "b"]}
    assert against.bands["similarity/pairs", "frequent"].items == 4
    assert against.bands["similarity/pairs", "frequent"].difference.value == pairs.difference.value
    assert ("similarity/pairs", "rare") not in against.bands
    assert against.notes == []


def test_bands_part_the_items(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each item is in the band of its rarest word's rank in the first run; a band needs three items."""
    monkeypatch.setattr(scores, "BANDS", {"frequent": 5, "rare": None})
    first, second = comparison.runs
    found = runs.bands(second.items, first.items, {"pairs", "family"})

    # alpha0 alpha1 (rank 3), beta0 beta1 (4), alpha0 beta0 (1); beta5 gamma5 (17) is alone
    assert {key: each.items for key, each in found.items() if key[0] == "similarity/pairs"} == {
        ("similarity/pairs", "frequent"): 3
    }
    assert {each.items for key, each in found.items() if key[0] == "analogy/family.3cosadd"} == {1}


def test_no_set_is_said(comparison: Comparison) -> None:
    """If no set judged either run, a note names the config keys for sets."""
    bare = [
        run._replace(
            judged=run.judged.model_copy(update={"inputs": run.judged.inputs | {"outside": {}}}), items=run.items[:0]
        )
        for run in comparison.runs
    ]

    assert "evaluation.similarity" in runs.compare(bare).against[0].notes[0]


def test_the_word_that_moved_is_found(comparison: Comparison) -> None:
    """beta3 moved most, from the betas to the alphas; delta was gained, gamma9 lost."""
    space = comparison.against[0].space

    assert space.moved[0].word == "beta3"
    assert {word.rstrip("0123456789") for word in space.moved[0].before[:5]} == {"beta"}
    assert space.moved[0].after[0] == "alpha3"
    assert [word for word, _ in space.gained] == ["delta"]
    assert [word for word, _ in space.lost] == ["gamma9"]
    assert (space.shared, space.judged) == (60, 60)


def test_another_edition_is_not_compared(tmp_path: Path) -> None:
    """Sets of one name but other content, and other held-out windows, are noted and left out."""
    first = published(tmp_path, "a", WORDS, heaps(0), PAIRS)
    second = published(tmp_path, "b", WORDS, heaps(1), PAIRS.replace("9", "8"))
    held_out = second.judged.model_copy(update={"inputs": second.judged.inputs | {"held_out": "another"}})
    (against,) = runs.compare([first, second._replace(judged=held_out)]).against

    assert set(against.verdicts) == {"analogy/family.3cosadd", "analogy/family.3cosmul"}
    assert against.notes == [
        "pairs: another edition of the set",
        "loss/held_out: not the same held-out windows, so J(θ) cannot be compared",
    ]


def test_strangers_have_no_space_in_common() -> None:
    """Two vocabularies without a common word are refused with advice."""
    one, other = (WordVectors([f"{name}{n}" for n in range(9)], np.arange(9), heaps(0)[:9]) for name in "ab")

    with pytest.raises(InputError, match="the runs share 0 of 9 and 9 words"):
        runs.space_change(one, other)


def test_rare_words_do_not_move(comparison: Comparison) -> None:
    """Words with fewer than fifty occurrences are compared but not listed, since they move by chance."""
    space = comparison.against[0].space
    rare = space._replace(words=[word._replace(counts=(49, 900)) for word in space.words])

    assert rare.moved == []


@pytest.fixture(scope="module")
def page(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "comparison.html"
    path.write_text(comparison_page.html(comparison), encoding="utf-8")
    return path


def test_the_page_needs_nothing_else(page: Path) -> None:
    """The page loads no address, and a word that looks like markup stays a word."""
    text = page.read_text(encoding="utf-8")

    assert "src=" not in text
    assert "@import" not in text
    assert "<link" not in text
    assert SCRIPTY not in text
    assert "beta3" in text


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Browser]:
    if MISSING:
        pytest.skip(MISSING)
    with browser() as found:
        found.open(page)
        yield found


SEARCH = "const box = document.getElementById('word'); box.value = '{}'; box.form.requestSubmit();"
ANSWER = "return document.getElementById('answer').textContent"
PIXELS = "const c = document.getElementById('map'); return c.toDataURL()"


def test_search_finds_a_word(opened: Browser) -> None:
    """The search shows the word's neighbours in either run and centers the map; an unknown word is reported."""
    before = opened.run(PIXELS)
    found = opened.run(SEARCH.format("beta3") + ANSWER)

    assert found.startswith("beta3 — A: beta")
    assert "B (moved " in found
    assert opened.run(PIXELS) != before
    assert opened.run(SEARCH.format("nowhere") + ANSWER) == "nowhere is not on the map"


def test_pointing_at_a_word_names_it(opened: Browser) -> None:
    """The word searched for is in the center; pointing at it shows the same as the search. The wheel zooms."""
    found = opened.run(SEARCH.format("gamma4") + ANSWER)
    middle = "const c = document.getElementById('map'), b = c.getBoundingClientRect();"
    at = "clientX: b.left + c.offsetWidth / 2, clientY: b.top + c.offsetHeight / 2, bubbles: true, cancelable: true"
    shown = "const hint = document.getElementById('hint'); return [hint.style.display, hint.textContent]"
    hint = opened.run(f"{middle} c.dispatchEvent(new PointerEvent('pointermove', {{{at}}})); {shown}")
    before = opened.run(PIXELS)
    after = opened.run(
        f"{middle} c.dispatchEvent(new WheelEvent('wheel', {{deltaY: -300, {at}}})); return c.toDataURL()"
    )

    assert hint == ["block", found]
    assert after != before


def test_nothing_is_fetched_and_nothing_complains(opened: Browser) -> None:
    """After all of this the console shows no message, and no resource was requested."""
    assert opened.console() == []
    assert opened.run("return performance.getEntriesByType('resource').map(each => each.name)") == []
