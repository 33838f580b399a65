"""Read `--grid`, refuse wrong ones, and write a config that reads as the same."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.grids import Range, changed, described, read
from configs.loading import ConfigError, check, load
from configs.writing import toml
from tests.support.paths import PROJECT

BASE = check({"ingestion": {"source": "text.txt"}}, "test.toml")


@pytest.mark.parametrize(
    ("entry", "values"),
    [
        ("training.learning_rate=0.01,0.025", [0.01, 0.025]),
        ("training.batch_size = 32, full", [32, "full"]),
        ("tokenization.lowercase=true,false", [True, False]),
        ("training.objective=softmax", ["softmax"]),
        ('tokenization.probes=["a", "b"],["c"]', [["a", "b"], ["c"]]),
        ("vocabulary.fixed=../words.txt,other.txt", ["../words.txt", "other.txt"]),
        ("training.learning_rate=1e-3..0.1", Range(1e-3, 0.1)),
        ("training.vector_size=50..300", Range(50, 300)),
    ],
)
def test_values_are_read(entry: str, values: object) -> None:
    """Values are TOML or plain words, separated by commas, or a range of numbers."""
    assert list(read([entry]).values()) == [values]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["training.epochs"], "--grid training.epochs\nexpected  section.key=value,value…"),
        (["training.epochs="], "expected  values separated by commas\nfound     nothing"),
        (["training.epochs=1,,2"], "expected  values separated by commas\nfound     1,,2"),
        (["training.epochs=3,3"], "expected  different values\nfound     3 twice"),
        (["training.epochs=1,2", "training.epochs=3"], "training.epochs is named twice"),
        (["training.damping=3..1"], "expected  a range from a smaller to a larger number"),
        (["training.damping=1-1..2"], "expected  a range from a smaller to a larger number"),
        (["seed=1,2"], "a seed is not a setting to choose: `w2v retrain --seeds 3`"),
        (["runtime.threads=1,2"], "runtime cannot change a result"),
        (["evaluation.bootstrap=1,2"], "evaluation judges the vectors"),
    ],
)
def test_what_is_no_grid_is_refused(entries: list[str], message: str) -> None:
    """The message repeats the option and says what is wrong with it."""
    with pytest.raises(ConfigError) as refused:
        read(entries)

    assert message in str(refused.value)
    assert str(refused.value).startswith(f"--grid {entries[-1]}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training.learning_rte": 0.1}, ": unknown key training.learning_rte\ndid you mean `learning_rate`?"),
        ({"trainig.epochs": 1}, ": unknown key trainig\ndid you mean `training`?"),
        (
            {"windows.window": 3, "training.learning_rate": -1},
            "expected  a number, above 0, at most",
        ),
        ({"training.learning_rate": 1e-5}, "min_learning_rate 0.0001 is above learning_rate 1e-05"),
        ({"training.epochs.x": 1}, "`epochs` is a value, not a section"),
    ],
)
def test_an_impossible_candidate_is_named(change: dict[str, object], message: str) -> None:
    """The error names the candidate, then has the form of a config file's errors."""
    with pytest.raises(ConfigError) as refused:
        changed(BASE, change)

    assert str(refused.value).startswith(f"--grid {described(change)}")
    assert message in str(refused.value)


def test_a_candidate_differs_by_its_change_alone() -> None:
    """The original config is not changed."""
    candidate = changed(BASE, {"training.epochs": 7, "windows.window": 2})

    assert (candidate.training.epochs, candidate.windows.window) == (7, 2)
    assert changed(candidate, {"training.epochs": 5, "windows.window": 5}) == BASE


@pytest.mark.parametrize("path", sorted((PROJECT / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_a_written_config_is_read_as_the_same(path: Path, tmp_path: Path) -> None:
    """Every experiment of the project is the same after writing and reading."""
    config = load(path)
    (tmp_path / "best.toml").write_text(toml(config, "two\nlines"), encoding="utf-8")

    assert load(tmp_path / "best.toml") == config


@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    rate=st.floats(1e-300, 1e4),
)
def test_any_text_and_number_survives(tmp_path_factory: pytest.TempPathFactory, text: str, rate: float) -> None:
    """Quotes, backslashes, control characters and numbers of any size are the same after writing and reading."""
    values = {
        "ingestion": {"source": [text]},
        "training": {"learning_rate": rate, "min_learning_rate": 0},
    }
    config = check(values, "test")
    path = tmp_path_factory.mktemp("written") / "best.toml"
    path.write_text(toml(config, text), encoding="utf-8")

    assert load(path) == config
