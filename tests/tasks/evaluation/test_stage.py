"""Every item is judged, counted and explained; a malformed file is named with its line."""

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mlflow.utils.validation import _validate_metric_name

from configs.schema import Evaluation, Promotion, Training
from tasks import notes
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.errors import InputError
from tasks.evaluation import scores
from tasks.evaluation.datasets import read_analogies, read_pairs, set_names
from tasks.evaluation.learning import warning
from tasks.evaluation.stage import evaluation
from tests.support.paths import SHARED
from tests.support.trained import vectors_of, windows_of

ROYAL, FEMALE, FRUIT = np.eye(3)
WORDS = ["man", "woman", "king", "queen", "apple", "pear"]
TABLE = np.array([
    [0.1, 0, 0.2], [0.1, 1, 0.2], [1.1, 0, 0.2], [1.1, 1, 0.2], [0, 0.1, 1], [0.05, 0, 1],
])  # fmt: skip
EVAL = SHARED / "eval"


@pytest.fixture
def judge(context: Context):
    """Evaluate the six words; return the output and its rows."""
    held_out = windows_of(context, [0, 0, 0, 1, 1], [0, 2, 3, 4, 5], [1, 2, 0, 1, 1])

    def run(threads: int = 2, words: list[str] = WORDS, **config: Any) -> tuple[Dataset, pa.Table]:
        vectors = vectors_of(context, words, TABLE)
        runtime = context.runtime.model_copy(
            update={"threads": threads, "workspace": f"{context.runtime.workspace}{threads}"}
        )
        done = evaluation.compute(
            vectors=vectors, held_out=held_out, config=Evaluation(**config), training=Training(), window=2, seed=1,
            context=Context(runtime=runtime),
        )  # fmt: skip
        return done, contracts.read(done.files()[0], contracts.EVALUATION)

    return run


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    path = tmp_path / "Four Pairs.tsv"
    path.write_text("man\twoman\t4\nKing\tqueen\t9\napple\tpear\t10\nking\tpear\t1\nking\tzebra\t5\n")
    return str(path)


@pytest.fixture
def analogies(tmp_path: Path) -> str:
    path = tmp_path / "family.txt"
    path.write_text(
        ": royal\nman king woman queen\nMan Woman King Queen\n: fruit\nman woman apple pear\nman king boy prince\n"
    )
    return str(path)


def test_similarity_by_hand(judge, pairs: str) -> None:
    """Cosines .218 .745 .994 .228 have ranks 1 3 4 2, human scores 2 3 4 1: ρ = 1 − 6·(1 + 1) / (4·15) = 0.8."""
    done, rows = judge(similarity=[pairs])
    metrics = done.manifest.facts["metrics"]
    similar = rows.filter(pa.compute.equal(rows["judge"], "similarity"))

    assert metrics["similarity/four-pairs"] == pytest.approx(0.8)
    assert metrics["coverage/four-pairs"] == 0.8
    assert -1 <= metrics["interval/four-pairs.low"] <= metrics["interval/four-pairs.high"] <= 1
    assert similar["item"].to_pylist() == ["man woman", "King queen", "apple pear", "king pear", "king zebra"]
    assert similar["target"].to_pylist() == [4, 9, 10, 1, 5]
    assert similar["covered"].to_pylist() == [True, True, True, True, False]
    assert similar["score"].to_pylist()[:4] == pytest.approx([0.218, 0.745, 0.994, 0.228], abs=5e-4)
    assert similar["score"][4].as_py() is None


def test_earlier_epochs_are_judged_alike(context: Context, pairs: str, analogies: str) -> None:
    """Kept vectors of an earlier epoch have the scores that they would have as final ones."""
    held_out = windows_of(context, [0, 0, 0], [0, 2, 3], [1, 2, 0])
    begun = TABLE[::-1].copy()

    def facts(table: Any, earlier: Any = None) -> dict[str, Any]:
        done = evaluation.compute(
            vectors=vectors_of(context, WORDS, table, earlier=earlier), held_out=held_out, training=Training(),
            config=Evaluation(similarity=[pairs], analogies=[analogies]), window=2, seed=1, context=context,
        )  # fmt: skip
        return done.manifest.facts

    kept = facts(TABLE, begun)

    assert kept["epochs"] == {"1": facts(begun)["metrics"]}
    assert kept["metrics"] == facts(TABLE)["metrics"] != kept["epochs"]["1"]
    assert "epochs" not in facts(TABLE)


def test_analogies_by_hand(judge, analogies: str) -> None:
    """king − man + woman is queen by both methods, apple − man + woman is not pear, boy is unknown: 2 of 3 right."""
    done, rows = judge(analogies=[analogies])
    metrics = done.manifest.facts["metrics"]
    asked = rows.filter(pa.compute.equal(rows["judge"], "3cosadd")).to_pylist()

    assert metrics["coverage/family"] == 0.75
    for method in ("3cosadd", "3cosmul"):
        assert metrics[f"analogy/family.{method}"] == pytest.approx(2 / 3)
        assert metrics[f"interval/family.{method}.low"] < 2 / 3 < metrics[f"interval/family.{method}.high"]
    assert [row["section"] for row in asked] == ["royal", "royal", "fruit", "fruit"]
    assert [row["predicted"] for row in asked[:2]] == ["queen", "queen"]
    assert [row["right"] for row in asked] == [True, True, False, False]
    assert (asked[1]["item"], asked[1]["expected"]) == ("Man Woman King", "Queen")
    assert (asked[3]["covered"], asked[3]["predicted"], asked[3]["score"]) == (False, None, None)


def test_a_question_beyond_the_candidates_is_not_covered(judge, analogies: str) -> None:
    """With three candidates queen is not among them: nothing is asked, and no share is reported."""
    metrics = judge(analogies=[analogies], analogy_candidates=3)[0].manifest.facts["metrics"]

    assert metrics["coverage/family"] == 0
    assert "analogy/family.3cosadd" not in metrics


def test_neighbors_of_probes(judge) -> None:
    """Neighbours come nearest first, without the word itself; an unknown probe has a row of its own."""
    done, rows = judge(probes=["apple", "zebra", "KING"])
    neighbors = done.manifest.facts["neighbors"]

    assert list(neighbors) == ["apple", "KING"]
    assert neighbors["apple"][0][0] == "pear"
    assert neighbors["KING"][0][0] == "queen"
    assert len(neighbors["KING"]) == 5
    assert rows.filter(pa.compute.invert(rows["covered"]))["item"].to_pylist() == ["zebra"]


def test_without_sets_and_probes_the_rest_still_runs(judge) -> None:
    """J(θ), and the neighbours of chosen words of at least four letters, need no set."""
    facts = judge()[0].manifest.facts

    assert set(facts["metrics"]) == {"loss/held_out", "loss/held_out_per_pair", "vectors/mean_cosine"}
    assert list(facts["neighbors"]) == ["woman", "king", "queen", "apple", "pear"]


def test_held_out_loss_of_zero_outputs(judge) -> None:
    """All six words are equally likely, log 6 a pair; four windows with 1, 2, 1 and 1 pairs have 5/4 · log 6 each."""
    metrics = judge()[0].manifest.facts["metrics"]

    assert metrics["loss/held_out_per_pair"] == pytest.approx(np.log(6))
    assert metrics["loss/held_out"] == pytest.approx(5 / 4 * np.log(6))


def test_nothing_held_out_no_loss(context: Context) -> None:
    """A corpus too small for held-out documents is evaluated without J(θ)."""
    done = evaluation.compute(
        vectors=vectors_of(context, WORDS, TABLE), held_out=windows_of(context, [], [], []), config=Evaluation(),
        training=Training(), window=2, seed=1, context=context,
    )  # fmt: skip

    assert list(done.manifest.facts["metrics"]) == ["vectors/mean_cosine"]


def test_collapsed_vectors_are_told(judge, context: Context) -> None:
    """Three words of nearly one direction have a mean cosine of nearly 1; the other tests' six have not."""
    table = np.array([[1, 0.1], [1, 0.2], [1, 0.3]])
    done = evaluation.compute(
        vectors=vectors_of(context, WORDS[:3], table), held_out=windows_of(context, [], [], []), config=Evaluation(),
        training=Training(), window=2, seed=1, context=context,
    )  # fmt: skip
    facts = done.manifest.facts
    said = warning(facts, Promotion())

    assert facts["metrics"]["vectors/mean_cosine"] == pytest.approx((0.9952 + 0.9952 + 0.9812) / 3, abs=1e-3)
    assert "collapsed: two frequent words have a cosine of 0.99 on average" in said
    assert "training.epochs" in said
    assert warning(judge()[0].manifest.facts, Promotion()) == ""


def test_one_word_has_no_spread(context: Context) -> None:
    """A single word has no pair and no mean cosine."""
    done = evaluation.compute(
        vectors=vectors_of(context, ["word"], np.ones((1, 2))), held_out=windows_of(context, [], [], []),
        config=Evaluation(), training=Training(), window=2, seed=1, context=context,
    )  # fmt: skip

    assert done.manifest.facts["metrics"] == {}


def test_account_balances(judge, pairs: str, analogies: str) -> None:
    """5 pairs, 4 analogies by two methods and 5 neighbours; 1 pair and 1 analogy (twice) have an unknown word."""
    account = judge(similarity=[pairs], analogies=[analogies], probes=["man"])[0].manifest.account

    assert (account.read, account.written, account.left_out) == (18, 15, {"unknown": 3})


def test_threads_change_no_bit(judge, pairs: str, analogies: str) -> None:
    """The same vectors and seed give the same file and figures on one and on two threads."""
    one, two = (judge(threads=n, similarity=[pairs], analogies=[analogies])[0] for n in (1, 2))

    assert one.path != two.path
    assert one.digest == two.digest
    assert one.manifest.facts == two.manifest.facts


def test_an_edited_set_is_another_evaluation(judge, pairs: str) -> None:
    """The key contains the set's content, not its path."""
    before = judge(similarity=[pairs])[0]
    Path(pairs).write_text(Path(pairs).read_text().replace("9", "8"))

    assert judge(similarity=[pairs])[0].key != before.key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tiger\tcat\t7\ntiger\tcat\n",
            "line 2 is not a valid line of an evaluation set\nexpected  two words and a score",
        ),
        ("tiger\tcat\t7\n\n# note\ntiger\tcat\tmuch\n", "line 4 .*\nexpected .*\nfound     'tiger\\\\tcat\\\\tmuch'"),
        (
            "tiger,cat,nan\n",
            "line 1 is not .*\nexpected  two words and a score, a number, .*\nfound     'tiger,",
        ),
        ("word1,word2,score\na,b,1\na,b,-inf\n", "line 3 is not"),
        ("high low much\n", "line 1 is not"),  # no names of columns
        ("word1\tword2\tscore\n", "this evaluation set is empty"),
        ("a,b,7,5\n", "line 1 is not"),
        ("a\tb\t7_5\n", "line 1 is not"),
        ("a\tb\t7.5\na\tc\t1,000\n", "line 2 is not .*\nexpected  a score with a decimal point"),
        ("a\tb\n", "line 1 is not"),
        ("", "this evaluation set is empty\nexpected  lines of two words and a score"),
        ("a\tb\t1\textra\n", "line 1 is not"),
    ],
)
def test_malformed_pairs(tmp_path: Path, text: str, message: str) -> None:
    """The error names the file, the line, what was expected and what was found."""
    path = tmp_path / "set.tsv"
    path.write_text(text)

    with pytest.raises(InputError, match=f"{path}: {message}"):
        read_pairs(str(path))


def test_malformed_analogies(tmp_path: Path) -> None:
    """A line of three words, and a file with only sections, raise an error."""
    path = tmp_path / "questions.txt"
    path.write_text(": capitals\nAthens Greece Baghdad\n")
    with pytest.raises(InputError, match=f"{path}: line 2 is not .*\nexpected  four words, or a colon"):
        read_analogies(str(path))

    path.write_text(": capitals\n")
    with pytest.raises(InputError, match="empty\nexpected  lines of four words"):
        read_analogies(str(path))


def test_unreadable_sets(judge, tmp_path: Path, pairs: str) -> None:
    """A missing file, a file given twice, and one that is not UTF-8 are refused before any work."""
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InputError, match=r"missing.tsv: cannot read this evaluation set \(No such file or directory\)"):
        judge(similarity=[str(tmp_path / "missing.tsv")])
    with pytest.raises(InputError, match=r"Four Pairs.tsv: this evaluation set is given twice"):
        judge(similarity=[pairs], domain=[pairs])
    with pytest.raises(InputError, match="byte 0 is not UTF-8"):
        judge(similarity=[str(tmp_path / "binary.tsv")])


@pytest.mark.parametrize("separator", ["\t", ",", ", ", " ", ";", "\t "])
def test_pairs_as_authors_publish_them(tmp_path: Path, separator: str) -> None:
    """Any separator is read; a header, comments, blank lines and a byte order mark are skipped."""
    path = tmp_path / "set.csv"
    path.write_text("\ufeffword1,word2,score\n# by hand\n\n" + separator.join(["tiger", "cat", "7.35"]) + "\n", "utf-8")

    assert read_pairs(str(path)) == [(("tiger", "cat"), 7.35)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\t7,5\r\n\r\nc\td\t1\r\n", [("a", "b", 7.5), ("c", "d", 1)]),  # decimal comma, Windows' ends of lines
        ("a b 7,5\n", [("a", "b", 7.5)]),
        ("a;b;7,5\n", [("a", "b", 7.5)]),
        ('"a";"b";"7"\n', [("a", "b", 7)]),
        ('"a, b",c,7\n', [("a, b", "c", 7)]),
        ("new york\tlondon\t7\n", [("new york", "london", 7)]),
        ("#\thash\t7\n#a\tb\t8\n# c d 9\ne\tf\t1\n", [("#", "hash", 7), ("e", "f", 1)]),
        ("model1\tmodel2\t3\n", [("model1", "model2", 3)]),  # a number is no name of a column
        ("单词1\t单词2\t相似度\nk\tl\t3\n", [("k", "l", 3)]),
        ("Word 1,Word 2,Human (mean)\nk,l,3\n", [("k", "l", 3)]),
        ("first second score\nk l 3\n", [("k", "l", 3)]),
        ("a\u0085b\tc\t1\n", [("a\u0085b", "c", 1)]),  # ends no line of a file
    ],
)
def test_no_line_of_a_set_is_lost(tmp_path: Path, text: str, expected: list[tuple[str, str, float]]) -> None:
    """Every pair is read; only a line of column names is a header."""
    path = tmp_path / "set.tsv"
    path.write_bytes(text.encode())

    assert [(*pair.words, pair.score) for pair in read_pairs(str(path))] == expected


def test_analogies_in_columns(tmp_path: Path) -> None:
    """Analogies separated by tabs may contain the words : and #; a header is not a question."""
    path = tmp_path / "questions.tsv"
    path.write_text("word1\tword2\tword3\tword4\n: signs\n# a comment\n:\tcolon\t#\thash\nnew york\tusa\tbonn\tfrg\n")

    assert read_analogies(str(path)) == [
        ("signs", (":", "colon", "#", "hash")),
        ("signs", ("new york", "usa", "bonn", "frg")),
    ]


def test_names_of_sets_are_distinct_and_readable() -> None:
    """Names of any script are valid in MLflow; equal stems get their folder or suffix."""
    eval_sets = ["eval/相似度.tsv", "eval/评测集.tsv", "de/Wörter 1.tsv", "en/Wörter 1.tsv", "x/हिन्दी.tsv"]
    others = ["a/held_out.tsv", "q/pairs.csv", "q/pairs.tsv", "x/!.tsv", "x/?.tsv", "n/e\u0301te\u0301.tsv"]
    names = set_names([*eval_sets, *others, f"n/{'long' * 60}.tsv"])

    assert names[:8] == [
        "相似度", "评测集", "de-wörter-1", "en-wörter-1", "ह-न-द", "a-held_out", "pairs-csv", "pairs-tsv",
    ]  # fmt: skip
    assert names[8:11] == ["set-1", "set-2", "été"]
    assert len(set(names)) == len(names)
    for name in names:
        _validate_metric_name(f"interval/{name}.3cosadd.high")
        assert len(f"interval/{name}.3cosadd.high") <= 250


@pytest.mark.parametrize("metrics", [{}, {"loss/held_out": 1.0}])
def test_a_loss_that_is_not_known_is_said(metrics: dict[str, float]) -> None:
    """Where no window was held out, the report has no row of it."""
    said = [*notes._of_loss({"metrics": metrics})]

    assert [each.startswith("No window was held out, so J(θ) is ") for each in said] == [True] * (not metrics)


def test_what_of_a_set_is_unknown_is_named(judge, tmp_path: Path) -> None:
    """The facts give the number of unknown words, the first of them, and repeated pairs in either order."""
    path = tmp_path / "相似度.tsv"
    path.write_text("man\twoman\t4\nWoman\tMAN\t5\nking\tzebra\t9\nzebra\tyak\t1\n")
    done, _ = judge(similarity=[str(path)], probes=["apple", "emu"])
    facts = done.manifest.facts

    assert facts["metrics"]["coverage/相似度"] == 0.5
    assert [*notes._of_sets(facts)] == [
        "相似度: 2 of 7 words are unknown: zebra yak",
        "相似度: 1 repeated, such as man woman",
        "evaluation.probes: 1 of 2 words is unknown: emu",
    ]


def test_sets_are_asked_in_the_form_of_the_text(judge, tmp_path: Path) -> None:
    """Decomposed words, a byte order mark and capitals are normalised as the text was."""
    path = tmp_path / "set.tsv"
    lines = "CAFÉ\tcrème\t3\nprêt\tNaïve\t1\nkettle\tladder\t1\n"
    path.write_text("\ufeff" + unicodedata.normalize("NFD", lines), "utf-8")
    probes = [unicodedata.normalize("NFD", "prêt")]
    done, _ = judge(words=["café", "crème", "prêt", "naïve", "a", "b"], similarity=[str(path)], probes=probes)

    assert done.manifest.facts["metrics"]["coverage/set"] == 2 / 3
    assert done.manifest.facts["sets"]["set"]["first"] == ["kettle", "ladder"]
    assert len(done.manifest.facts["neighbors"]) == 1


@pytest.mark.skipif(not EVAL.exists(), reason="the public evaluation sets are not beside the project")
def test_the_public_sets_are_read_whole() -> None:
    """WordSim-353, SimLex-999, MEN and the Google analogies are read with all items and sections."""
    sizes = [len(read_pairs(str(EVAL / name))) for name in ("wordsim353.tsv", "simlex999.tsv", "men3000.tsv")]
    analogies = read_analogies(str(EVAL / "google-analogies.txt"))

    assert sizes == [353, 999, 3000]
    assert len(analogies) == 19_544
    assert len({analogy.section for analogy in analogies}) == 14


def test_scores_by_how_frequent_the_words_are(judge, pairs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair is as frequent as its rarer word: man woman, and King queen (ranks 1 and 3), lie below rank 4."""
    monkeypatch.setattr(scores, "BANDS", {"frequent": 4, "rare": None})
    done, rows = judge(similarity=[pairs], analogies=[])

    assert rows["rank"].to_pylist()[:5] == [1, 3, 5, 5, None]
    assert done.manifest.facts["bands"] == []  # two pairs each say nothing

    monkeypatch.setattr(scores, "BANDS", {"all": None})
    whole = judge(similarity=[pairs], bootstrap=50)[0].manifest.facts
    assert [(band["band"], band["items"]) for band in whole["bands"]] == [("all", 4)]
    assert whole["bands"][0]["value"] == pytest.approx(whole["metrics"]["similarity/four-pairs"])


def test_a_domain_is_judged_beside_the_rest(judge, pairs: str, tmp_path: Path) -> None:
    """The scores of a domain have its name, and its digest is part of the key."""
    (tmp_path / "royal.toml").write_text('closer = [["king", "queen", "king", "pear"]]\n')
    done, _ = judge(similarity=[pairs], domain=[str(tmp_path / "royal.toml")])

    assert done.manifest.facts["metrics"]["domain/royal.closer"] == 1
    assert done.manifest.facts["metrics"]["coverage/royal"] == 1
    assert set(done.manifest.inputs["outside"]) == {"four-pairs", "royal"}
