"""A sweep before and after its trainings: candidates, ranking, and what mattered."""

import math

import numpy as np
import pytest

from configs.grids import Change, Range, read
from configs.loading import ConfigError
from configs.schema import Evaluation
from tasks.errors import InputError
from tasks.sweeps import halving, ranking
from tasks.sweeps.candidates import drawn, every
from tasks.sweeps.halving import Rung, rungs
from tasks.sweeps.ranking import Result, check_score, explained, mattered, mean_ranks, ranked, sum_up
from tasks.tracking.names import LOSS

SETS = Evaluation(similarity=["eval/men.tsv"], analogies=["questions.txt"], domain=["own.toml"])


def result(rate: float, rung: int, loss: float | None, **scores: float) -> Result:
    """Return the result of one learning rate; None as loss means that it diverged."""
    metrics = {} if loss is None else {LOSS: loss} | {f"similarity/{name}": value for name, value in scores.items()}
    return Result({"training.learning_rate": rate}, rung, 1 + rung, "" if loss is None else f"run {rate}", metrics)


def test_every_combination() -> None:
    """Two keys of two values are four candidates, the last key changing fastest."""
    found = every(read(["training.epochs=1,2", "windows.window=3,4"]))

    assert [tuple(change.values()) for change in found] == [(1, 3), (1, 4), (2, 3), (2, 4)]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("training.damping=1..2", "damping=1..2\na range needs random draws: add --random N"),
        ("training.epochs=1", "found     one"),
    ],
)
def test_no_combinations(grid: str, message: str) -> None:
    """A range has no list of values, and one candidate is no sweep."""
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        every(read([grid]))


def test_draws_repeat_themselves() -> None:
    """All draws differ and lie in their ranges; the first ten of twenty are those of ten."""
    grid = read(["training.learning_rate=0.001..0.1", "training.vector_size=5..7", "training.schedule=linear,cosine"])
    twenty = drawn(grid, 20, seed=1)

    assert drawn(grid, 10, seed=1) == twenty[:10] != drawn(grid, 10, seed=2)
    assert len({str(change) for change in twenty}) == 20
    assert all(0.001 <= change["training.learning_rate"] <= 0.1 for change in twenty)
    assert {change["training.vector_size"] for change in twenty} == {5, 6, 7}


def test_rates_are_drawn_logarithmically() -> None:
    """Half of a range from 0.001 to 0.1 lies below 0.01; from 0 to 1 half lies below 0.5."""
    low = [change["a.b"] for change in drawn({"a.b": Range(0.001, 0.1)}, 300, seed=1)]
    even = [change["a.b"] for change in drawn({"a.b": Range(0.0, 1.0)}, 300, seed=1)]

    assert np.mean(np.array(low) < 0.01) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(even) < 0.5) == pytest.approx(0.5, abs=0.1)


def test_too_many_draws() -> None:
    """Five candidates cannot be drawn from four values."""
    with pytest.raises(ConfigError, match="--random 5\nexpected  that many different candidates\nfound     4"):
        drawn(read(["training.epochs=1..4"]), 5, seed=1)


@pytest.mark.parametrize(
    ("candidates", "epochs", "keep_one_in", "expected"),
    [
        (20, 10, 3, [(20, 9), (6, 3), (2, 1)]),
        (6, 5, 3, [(6, 3), (2, 1)]),
        (5, 5, 3, [(5, 1)]),  # one of five would meet nobody at the end
        (100, 2, 3, [(100, 1)]),  # a third of two epochs is none
        (16, 4, 2, [(16, 4), (8, 2), (4, 1)]),
        (9, 9, 1, [(9, 1)]),
    ],
)
def test_rungs(candidates: int, epochs: int, keep_one_in: int, expected: list[tuple[int, int]]) -> None:
    """There are as many cuts as leave two finalists and a whole epoch."""
    assert rungs(candidates, epochs, keep_one_in) == [Rung(*each) for each in expected]


def test_who_came_further_is_better() -> None:
    """A finalist beats a better loss of a shorter training, and everything beats a diverged one."""
    found = ranked([result(1, 0, 5.0), result(2, 1, 9.0), result(3, 1, 8.0), result(4, 1, None)], LOSS)

    assert [each.change["training.learning_rate"] for each in found] == [3, 2, 1, 4]


def test_of_a_score_more_is_better() -> None:
    """J(θ) is the only score of which lower is better."""
    both = [result(1, 0, 5.0, men=0.3), result(2, 0, 6.0, men=0.4)]

    assert ranked(both, LOSS)[0] == both[0]
    assert ranked(both, "similarity/men")[0] == both[1]


def test_a_score_that_is_not_there_is_said() -> None:
    """Without held-out windows the error names the run and the next step."""
    with pytest.raises(InputError, match=r"run run 1 \(training.learning_rate=1\) has no similarity/men\n.*--by"):
        ranking.loss(result(1, 0, 5.0), "similarity/men")


def test_summed_up_by_hand() -> None:
    """The last result of each candidate counts; ranks are within one rung, over the loss and the score."""
    first = [
        result(1, 0, 5.0, men=0.1),
        result(2, 0, 6.0, men=0.2),
        result(3, 0, 9.0, men=0.4),
        result(4, 0, 8.0, men=0.3),
    ]
    last = [result(1, 1, 4.0, men=0.5), result(2, 1, 3.0, men=0.6)]
    sweep = sum_up([first, last], LOSS)

    assert sweep.ranked == [last[1], last[0], first[3], first[2]]
    assert sweep.scores == [LOSS, "similarity/men"]
    assert mean_ranks(sweep) == [1.0, 2.0, 1.5, 1.5]
    head, lines = halving.cells(sweep)
    assert head == ["rank", "training.learning_rate", "epochs", LOSS, "similarity/men", "mean rank", "run"]
    assert lines[0] == ["1", "2", "2", "3", "0.6", "1", "run 2"]


def test_who_diverged_has_a_line_and_no_rank() -> None:
    """A diverged candidate has a line without a rank."""
    sweep = sum_up([[result(1, 0, 5.0), result(2, 0, None), result(3, 0, 4.0)]], LOSS)

    assert halving.cells(sweep)[1][-1] == ["–", "2", "1", "", "", "diverged"]
    assert mean_ranks(sweep)[:2] == [1.0, 2.0]


def test_share_by_hand() -> None:
    """Ranks 1 2 | 3 4: within 0.5 + 0.5, in all 5, so ε² = 1 − (1 / 2) / (5 / 3) = 0.7."""
    ranks = np.array([1.0, 2.0, 3.0, 4.0])

    assert explained(ranks, ["a", "a", "b", "b"]) == pytest.approx(0.7)
    assert explained(ranks, ["a", "b", "b", "a"]) == 0.0
    assert explained(ranks, ["a", "b", "c", "c"]) is None
    assert explained(ranks, ["a", "a", "a", "a"]) is None


def test_numbers_are_put_into_thirds() -> None:
    """Nine different rates in the order of their ranks explain nearly all; in disorder nothing."""
    ranks, rates = np.arange(1.0, 10.0), [0.1 * number for number in range(9)]

    assert explained(ranks, rates) == pytest.approx(1 - (6 / 6) / (60 / 8))
    assert explained(ranks, [rates[place] for place in (0, 3, 6, 1, 4, 7, 2, 5, 8)]) == 0.0


def test_what_mattered_comes_first() -> None:
    """The key that orders the losses comes first; a random key has no share on average."""
    changes: list[Change] = [{"noise": number % 2, "rate": number // 4} for number in range(8)]
    results = [Result(change, 0, 1, "run", {LOSS: float(number)}) for number, change in enumerate(changes)]

    assert [each.key for each in mattered(results, LOSS)] == ["rate", "noise"]
    assert not math.isnan(mattered(results, LOSS)[0].share or 0)


@pytest.mark.parametrize("key", ["windows.window", "vocabulary.min_count", "training.architecture", "ingestion.source"])
def test_another_definition_of_the_loss_is_refused(key: str) -> None:
    """Other words, windows or architectures have another J(θ); a score can still rank them."""
    with pytest.raises(ConfigError, match=f"cannot be compared: with another {key} .*\nRank by .*similarity/men or "):
        check_score(LOSS, ["training.epochs", key], SETS)
    check_score("similarity/men", [key], SETS)

    assert (
        LOSS
        not in sum_up([[Result({key: 1}, 0, 1, "run", {LOSS: 1.0, "similarity/men": 0.1})]], "similarity/men").scores
    )


def test_the_same_definition_is_taken() -> None:
    """Subsampling does not change the held-out windows, so J(θ) can rank."""
    check_score(LOSS, ["vocabulary.subsample", "windows.shard_rows", "training.vector_size"], SETS)

    assert ranking.comparable(["vocabulary.subsample"])


def test_an_unknown_score_is_answered_with_the_known_ones() -> None:
    """The error lists the known scores, which follow from the evaluation files."""
    known = "loss/held_out, similarity/men, analogy/questions.3cosadd, analogy/questions.3cosmul, domain/own.closer"
    with pytest.raises(ConfigError, match=f"--by men\nexpected  one of {known}"):
        check_score("men", ["training.epochs"], SETS)
