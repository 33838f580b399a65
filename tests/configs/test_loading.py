"""The config: strict, and helpful when it says no."""

from pathlib import Path

import pytest

from configs.loading import ConfigError, check, load
from configs.schema import Config

PROJECT = Path(__file__).parent.parent.parent
MINIMAL = {"ingestion": {"source": "text.txt"}}


@pytest.mark.parametrize("path", sorted((PROJECT / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_every_config_loads(path: Path) -> None:
    """Each experiment of the project is valid and carries its file's name."""
    assert load(path).name == path.stem


@pytest.mark.parametrize(
    ("setting", "section", "key", "value"),
    [
        ("training.epochs=3", "training", "epochs", 3),
        ("training.learning_rate=1", "training", "learning_rate", 1.0),
        ("training.batch_size=full", "training", "batch_size", "full"),
        ('training.batch_size="full"', "training", "batch_size", "full"),
        ("ingestion.source=my corpus/*.txt", "ingestion", "source", "my corpus/*.txt"),
        ('evaluation.probes=["king", "queen"]', "evaluation", "probes", ["king", "queen"]),
        ("tokenization.lowercase=false", "tokenization", "lowercase", False),
        ("vocabulary.fixed = words=1.txt", "vocabulary", "fixed", "words=1.txt"),
    ],
)
def test_settings_change_one_value(setting: str, section: str, key: str, value: object) -> None:
    """--set takes TOML values, and plain words without quotes."""
    config = load(PROJECT / "configs" / "quickstart.toml", [setting])

    assert getattr(getattr(config, section), key) == value


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trainig": {}}, "test.toml: unknown key trainig\ndid you mean `training`?"),
        ({"training": {"learning_rat": 1}}, "unknown key training.learning_rat\ndid you mean `learning_rate`?"),
        ({"windows": {"zzz": 1}}, "unknown key windows.zzz\nknown keys: window, shard_rows"),
        ({"training": {"epochs": 0}}, "training.epochs\nexpected  a whole number, at least 1\nfound     0"),
        ({"training": {"epochs": "3"}}, "training.epochs\nexpected  a whole number, at least 1\nfound     '3'"),
        ({"training": {"objective": "nce"}}, "expected  'negative_sampling' or 'softmax' or 'hierarchical_softmax'\n"),
        ({"training": {"batch_size": "half"}}, "expected  a whole number, at least 1, or 'full'\nfound     'half'"),
        ({"training": {"learning_rate": 1e-5}}, "min_learning_rate 0.0001 is above learning_rate 1e-05"),
        ({"training": 3}, "test.toml: training\nexpected  a section of keys\nfound     3"),
        ({"windows": {"window": 300}}, "window\nexpected  a whole number, at least 1, at most 255\nfound     300"),
        ({"vocabulary": {"subsample": 1.0}}, "subsample\nexpected  a number, at least 0, below 1\nfound     1.0"),
        ({"tokenization": {"sentences": "yes"}}, "sentences\nexpected  true or false\nfound     'yes'"),
        ({"evaluation": {"probes": "king"}}, "probes\nexpected  a list of texts\nfound     'king'"),
        ({"ingestion": {}}, "ingestion.source\nexpected  a text, or a list of texts\nfound     nothing"),
        ({"ingestion": {"source": 3}}, "ingestion.source\nexpected  a text, or a list of texts\nfound     3"),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], message: str) -> None:
    """The error names the key, what was expected, what was found, and the nearest known key."""
    with pytest.raises(ConfigError) as error:
        check({**MINIMAL, **values}, "test.toml")

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["training.epochs=abc"], "--set training.epochs=abc: training.epochs\nexpected  a whole number, at least 1\n"),
        (["training.epochs=3", "training.epochs=0"], "--set training.epochs=0: training.epochs\n"),
        (["training={epochs=0}"], "--set training={epochs=0}: training.epochs\n"),
        (["seed.x=1"], "--set seed.x=1: seed\nexpected  a whole number, at least 0"),
        (["training.epoch=3"], "--set training.epoch=3: unknown key training.epoch\ndid you mean `epochs`?"),
        (["training.epochs=3"], "test.toml: training.negatives\nexpected  a whole number, at least 1\nfound     0"),
    ],
)
def test_the_blame_is_where_it_was_said(tmp_path: Path, settings: list[str], message: str) -> None:
    """A wrong value is named with the --set it comes from, the last one if there are several, else with its file."""
    path = tmp_path / "test.toml"
    path.write_text(f"ingestion.source = 'text.txt'\ntraining.negatives = {0 if 'negatives' in message else 5}\n")

    with pytest.raises(ConfigError) as error:
        load(path, settings)
    assert str(error.value).removeprefix(f"{tmp_path}/").startswith(message)


def test_values_that_do_not_fit_together_name_all_their_places() -> None:
    """A rate from the defaults may be the other half of what --set says."""
    with pytest.raises(ConfigError) as error:
        load(None, ["ingestion.source=text.txt", "training.learning_rate=1e-5"])

    assert str(error.value) == (
        "the defaults, --set training.learning_rate=1e-5: training\n"
        "min_learning_rate 0.0001 is above learning_rate 1e-05"
    )


@pytest.mark.parametrize(
    "values",
    [
        {"tracking": {"uri": "postgresql://me:hunter2@host/mlflow"}},
        {"ingestion": {"source": ["a.txt", "https://me:hunter2@host/text.gz"]}},
    ],
)
def test_a_password_in_an_address_is_refused(values: dict[str, object]) -> None:
    """Configs are logged; the error does not repeat it. An address with a name alone, or a port, has none."""
    with pytest.raises(ConfigError, match="an address with a password") as error:
        check({**MINIMAL, **values}, "test.toml")

    assert "hunter2" not in str(error.value)
    check({**MINIMAL, "tracking": {"uri": "http://me@host:5000/a:b@c"}}, "test.toml")


def test_all_mistakes_are_told_at_once() -> None:
    """Two wrong keys need one round of mending, not two."""
    with pytest.raises(ConfigError, match=r"unknown key sed(?s:.*)unknown key nam"):
        check({**MINIMAL, "sed": 1, "nam": "x"}, "test.toml")


def test_missing_file_names_the_known_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped path is answered with the configs there are."""
    monkeypatch.chdir(PROJECT)

    with pytest.raises(ConfigError, match=r"no\.toml: cannot read this config(?s:.*)configs/quickstart\.toml"):
        load("configs/no.toml")


def test_bad_toml_says_where(tmp_path: Path) -> None:
    """The parser's line and column reach the user."""
    path = tmp_path / "bad.toml"
    path.write_text("seed = \n")

    with pytest.raises(ConfigError, match=r"bad\.toml is not TOML: .*line 1"):
        load(path)


@pytest.mark.parametrize("setting", ["training.epochs", "=3", "name.x=1"])
def test_malformed_setting_is_refused(setting: str) -> None:
    """--set without a key, a value or a section says what it expects."""
    with pytest.raises(ConfigError, match=r"--set .*\n(expected  section\.key=value|`name` is a value)"):
        load(PROJECT / "configs" / "quickstart.toml", [setting])


def test_a_form_can_be_made_of_it() -> None:
    """Prefect's page needs a JSON schema, with a description or a default for every value."""
    schema = Config.model_json_schema()

    assert set(schema["properties"]) >= {"ingestion", "training", "runtime"}


def test_changes_are_part_of_the_name() -> None:
    """Those that a run is told from others by; a name that is given stays as it is."""
    changes = ["ingestion.source=a.txt", "training.epochs=3", "runtime.threads=1", "windows.window=2", "seed=7"]

    assert load(None, changes).name == "retraining epochs=3 window=2 seed=7"
    assert load(None, [*changes, "name=mine"]).name == "mine"
    assert load(None, changes[:1]).name == "retraining"
