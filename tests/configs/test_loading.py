"""Config loading is strict, and its errors say what to change."""

import os
from pathlib import Path

import pytest

from configs.loading import ConfigError, check, check_once, load
from configs.schema import Config, Ingestion, Tracking
from tests.support.paths import PROJECT

MINIMAL = {"ingestion": {"source": "text.txt"}}


@pytest.mark.parametrize("path", sorted((PROJECT / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_every_config_loads(path: Path) -> None:
    """Each experiment of the project is valid, and its name is that of its file."""
    assert load(path).name == path.stem


def test_a_byte_order_mark_is_no_letter(tmp_path: Path) -> None:
    """A byte order mark, which editors on Windows write, is skipped."""
    (tmp_path / "a.toml").write_text('\ufeffname = "a"\n[ingestion]\nsource = "text.txt"\n', encoding="utf-8")

    assert load(tmp_path / "a.toml").name == "a"


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
        ({"windows": {"zzz": 1}}, "unknown key windows.zzz\nknown keys: window, shrink"),
        (
            {"training": {"epochs": 0}},
            "expected  a whole number, at least 1, at most 10,000\nfound     0",
        ),
        (
            {"training": {"epochs": "3"}},
            "expected  a whole number, at least 1, at most 10,000\nfound     '3'",
        ),
        ({"training": {"objective": "nce"}}, "expected  'negative_sampling' or 'softmax' or 'hierarchical_softmax'\n"),
        (
            {"training": {"batch_size": "half"}},
            "at most 1,000,000, or 'full'\nfound     'half'",
        ),
        ({"training": {"learning_rate": 1e-5}}, "min_learning_rate 0.0001 is above learning_rate 1e-05"),
        ({"training": 3}, "test.toml: training\nexpected  a section of keys\nfound     3"),
        (
            {"windows": {"window": 300}},
            "window\nexpected  a whole number, at least 1, at most 255, or 'document'\nfound     300",
        ),
        ({"vocabulary": {"subsample": 1.0}}, "subsample\nexpected  a number, at least 0, below 1\nfound     1.0"),
        ({"tokenization": {"sentences": "yes"}}, "sentences\nexpected  true or false\nfound     'yes'"),
        ({"evaluation": {"probes": "king"}}, "probes\nexpected  a list of texts\nfound     'king'"),
        (
            {"ingestion": {}},
            "characters, or a list of texts, not empty\nfound     nothing",
        ),
        ({"ingestion": {"source": 3}}, "characters, or a list of texts, not empty\nfound     3"),
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
        (["training.epochs=abc"], "--set training.epochs=abc: training.epochs\nexpected  a whole number, at least 1, "),
        (["training.epochs=3", "training.epochs=0"], "--set training.epochs=0: training.epochs\n"),
        (["training={epochs=0}"], "--set training={epochs=0}: training.epochs\n"),
        (["seed.x=1"], "--set seed.x=1: seed\nexpected  a whole number, at least 0"),
        (["training.epoch=3"], "--set training.epoch=3: unknown key training.epoch\ndid you mean `epochs`?"),
        (
            ["training.epochs=3"],
            "test.toml: training.negatives\nexpected  a whole number, at least 1, at most",
        ),
    ],
)
def test_the_blame_is_where_it_was_said(tmp_path: Path, settings: list[str], message: str) -> None:
    """An error names the last --set that gave the wrong value, or else the file."""
    path = tmp_path / "test.toml"
    path.write_text(f"ingestion.source = 'text.txt'\ntraining.negatives = {0 if 'negatives' in message else 5}\n")

    with pytest.raises(ConfigError) as error:
        load(path, settings)
    assert str(error.value).removeprefix(f"{tmp_path}/").startswith(message)


def test_values_that_do_not_fit_together_name_all_their_places() -> None:
    """If two values do not fit together, both places are named; one may be the defaults."""
    with pytest.raises(ConfigError) as error:
        load(None, ["ingestion.source=text.txt", "training.learning_rate=1e-5"])

    assert str(error.value) == (
        "the defaults, --set training.learning_rate=1e-5: training\n"
        "min_learning_rate 0.0001 is above learning_rate 1e-05\n"
        "configs/schema.py describes every key."
    )


@pytest.mark.parametrize(
    "values",
    [
        {"tracking": {"uri": "postgresql://me:hunter2@host/mlflow"}},
        {"ingestion": {"source": ["a.txt", "https://me:hunter2@host/text.gz"]}},
        {"ingestion": {"source": "s3://bucket/prefix?secret_key=hunter2"}},
        {"evaluation": {"similarity": ["https://hunter2@host/pairs.tsv"]}},
        {"training": {"warm_start": "https://host/vectors.parquet?X-Amz-Signature=hunter2"}},
        {"name": "of https://host/?token=hunter2"},
    ],
)
def test_a_secret_in_an_address_is_refused(values: dict[str, object]) -> None:
    """Configs are logged, so secrets are refused and not repeated in the error; a port or a user alone is accepted."""
    with pytest.raises(ConfigError, match="an address without a password") as error:
        check({**MINIMAL, **values}, "test.toml")

    assert "hunter2" not in str(error.value)
    check({**MINIMAL, "tracking": {"uri": "postgresql://me@host:5000/mlflow"}}, "test.toml")


@pytest.mark.parametrize("setting", ["tracking.uri=postgresql://u:hunter 2@h/db", "epochs=http://h/?key=hunter2 2"])
def test_a_secret_in_a_setting_is_not_repeated(setting: str) -> None:
    """Errors of other kinds do not repeat a secret either."""
    with pytest.raises(ConfigError) as error:
        load(None, [setting])

    assert "hunter" not in str(error.value)


def test_the_webhook_is_the_name_of_a_variable() -> None:
    """The webhook's address is a secret, so an address is refused."""
    with pytest.raises(ConfigError, match=r"notify\.webhook(?s:.*)expected  a text, matching"):
        check({**MINIMAL, "notify": {"webhook": "https://hooks.example.org/T0/B0"}}, "test.toml")


def test_all_mistakes_are_told_at_once() -> None:
    """Two wrong keys are reported in one error."""
    with pytest.raises(ConfigError, match=r"unknown key sed(?s:.*)unknown key nam"):
        check({**MINIMAL, "sed": 1, "nam": "x"}, "test.toml")


def test_missing_file_names_the_known_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for a mistyped path lists the known configs."""
    monkeypatch.chdir(PROJECT)

    with pytest.raises(ConfigError, match=r"no\.toml: cannot read this config(?s:.*)configs/quickstart\.toml"):
        load("configs/no.toml")


def test_bad_toml_says_where(tmp_path: Path) -> None:
    """The error has the parser's line and column."""
    path = tmp_path / "bad.toml"
    path.write_text("seed = \n")

    with pytest.raises(ConfigError, match=r"bad\.toml is not TOML: .*line 1"):
        load(path)


@pytest.mark.parametrize("setting", ["training.epochs", "=3", "name.x=1"])
def test_malformed_setting_is_refused(setting: str) -> None:
    """A --set without a key, a value or a section is refused with the expected form."""
    with pytest.raises(ConfigError, match=r"--set .*\n(expected  section\.key=value|`name` is a value)"):
        load(PROJECT / "configs" / "quickstart.toml", [setting])


def test_a_form_can_be_made_of_it() -> None:
    """Prefect's page needs a JSON schema, with a description or a default for every value."""
    schema = Config.model_json_schema()

    assert set(schema["properties"]) >= {"ingestion", "training", "runtime"}


def test_changes_are_part_of_the_name() -> None:
    """Settings that change the vectors are added to the name, unless a name is set."""
    changes = ["ingestion.source=a.txt", "training.epochs=3", "runtime.threads=1", "windows.window=2", "seed=7"]

    assert load(None, changes).name == "retraining epochs=3 window=2 seed=7"
    assert load(None, [*changes, "name=mine"]).name == "mine"
    assert load(None, changes[:1]).name == "retraining"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("name=2024", "2024"), ("name=2024-11-30", "2024-11-30"), ("name=1.50", "1.50"), ("name=true", "true"),
        ("ingestion.source=2024", "2024"), ("ingestion.text_column=7", "7"), ("tracking.experiment=007", "007"),
        ("training.batch_size=7", 7), ("seed=2024", 2024),
    ],
)  # fmt: skip
def test_a_text_may_look_like_a_number(setting: str, value: object) -> None:
    """The value of a key that takes a text is the text as typed, without TOML's quotes."""
    config = load(None, ["ingestion.source=a.txt", setting])
    *sections, key = setting.partition("=")[0].split(".")

    assert getattr(getattr(config, sections[0]) if sections else config, key) == value


def test_a_table_keeps_what_it_does_not_name(tmp_path: Path) -> None:
    """--set training={epochs=3} changes only the epochs."""
    (tmp_path / "a.toml").write_text("ingestion.source = 'a.txt'\ntraining.vector_size = 7\n")
    training = load(tmp_path / "a.toml", ["training={epochs=3}"]).training

    assert (training.epochs, training.vector_size) == (3, 7)


IMPOSSIBLE = [
    "ingestion.source=", 'ingestion.source=[""]', "ingestion.source=[]", 'ingestion.source="a\\u0000b"',
    "ingestion.source=" + "x" * 20_000, "ingestion.document_length=1180591620717411303424", "ingestion.shard_mb=100000",
    "ingestion.max_rejected_fraction=nan", "vocabulary.fixed=", "vocabulary.subsample=nan", "vocabulary.max_size=0",
    "windows.window=256", "windows.held_out_windows=99999999999", "windows.shard_rows=99999999999999",
    "training.epochs=99999999999999999999", "training.epochs=0x" + "f" * 5_000, "training.epochs=" + "9" * 5_000,
    "training.vector_size=1000000000", "training.negatives=1000000000", "training.learning_rate=inf",
    "training.learning_rate=nan", "training.damping=1e300", "training.batch_size=999999999", "training.keep_epochs=101",
    "training.warm_start=", "evaluation.bootstrap=1000000000", "evaluation.probes=[[]]", "tracking.uri=",
    "tracking.experiment=", "tracking.experiment=" + "x" * 501, 'tracking.experiment="a\\nb"',
    "tracking.registered_model=a/b", "tracking.registered_model=a:b",
    "tracking.registered_model=it's", "tracking.registered_model=a@champion", "tracking.registered_model=..",
    "tracking.registered_model=" + "x" * 300, "tracking.patience=inf", "promotion.margin=2", "promotion.max_drift=-1",
    "schedule.cron=", "schedule.cron=every night", "schedule.cron=60 3 * * *", "schedule.cron=0 24 * * *",
    "schedule.cron=0 3 32 * *", "schedule.cron=*/0 3 * * *", "schedule.cron=0 3 * 13 *", "schedule.cron=0 3 * * mo",
    "schedule.timezone=Berlin", "schedule.timezone=", "schedule.timezone=../../etc/passwd",
    "runtime.training_threads=100000", "runtime.threads=-1", "runtime.log_interval=0", "runtime.lost_after=inf",
    "runtime.checkpoint_interval=nan", "runtime.workspace=", "notify.webhook=https://hooks.example/secret",
    "notify.late_after=1e300", 'notify.on=["everything"]', "retention.runs_days=inf", "retention.runs_days=nan",
    "retention.outputs_last=-1", "retention.trash_days=1e9", "name=", "name=   ", 'name="two\\nlines"',
    "name=" + "x" * 201, "seed=-1", "seed=99999999999999999999", "seed=1\nname=x", "version=2", "a.b.c.d=1", ".=1",
    "training..epochs=1", "training.=1", "training.epochs", "=", "evaluation.probes=" + "[" * 5_000,
]  # fmt: skip


@pytest.mark.parametrize("setting", IMPOSSIBLE, ids=lambda setting: setting[:40])
def test_what_cannot_be_is_refused_at_the_door(setting: str) -> None:
    """Unbounded numbers, empty texts, and names that MLflow or Prefect would refuse later are errors."""
    with pytest.raises(
        ConfigError, match=r"(?s)^(the defaults, )?--set .*\n(expected|unknown key|known keys).*\n.*[.`]$"
    ) as error:
        load(None, ["ingestion.source=a.txt", setting])

    assert len(str(error.value)) < 1_000 + 2 * len(setting)


@pytest.mark.parametrize(
    "cron",
    [
        "0 3 * * *",
        "*/15 * * * *",
        "0 0-6/2 1,15 * mon-fri",
        "59 23 31 dec 7",
        "5 4 * jan,JUL sun",
        "* * * * * */5",
        "@daily",
        "0 0 L * *",
        "0 0 * * fri#2",
    ],
)
def test_times_of_cron(cron: str) -> None:
    """Numbers, names, lists, ranges and steps are accepted, as Prefect accepts them."""
    from prefect.client.schemas.schedules import CronSchedule

    assert load(None, ["ingestion.source=a.txt", f"schedule.cron={cron}"]).schedule.cron == cron
    assert CronSchedule(cron=cron).cron == cron


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbfseed = 3\n[ingestion]\nsource = 'a.txt'\n", ""),
        ("seed = 3\n".encode("utf-16"), "byte 0 is not UTF-8\nSave it as UTF-8"),
        (b"name = 'caf\xe9'\n", "byte 11 is not UTF-8"),
        (b"x = " + b"[" * 5_000 + b"]" * 5_000, "nested too deeply"),
        (b"seed = " + b"9" * 5_000, "is not TOML"),
        (b"seed = 1\nseed = 2\n", "is not TOML: Cannot overwrite a value"),
        (b"# long\n" * 200_000, "is not a config\nexpected  TOML of a few lines"),
        (b"name = 'a\x00b'\n", "is not TOML"),
        (b"", "ingestion"),
        (None, "cannot read this config (Is a directory)"),
    ],
)
def test_files_that_are_no_config(content: bytes | None, message: str, tmp_path: Path) -> None:
    """Each file that is not a config is refused with the reason; a byte order mark is accepted."""
    path = tmp_path / "a.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    if not message:
        assert load(path).seed == 3
        return
    with pytest.raises(ConfigError) as error:
        load(path)

    assert message in str(error.value)
    assert str(error.value).startswith(str(path))


def test_a_pipe_is_no_config(tmp_path: Path) -> None:
    """A pipe is refused at once, without waiting for its content."""
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ConfigError, match=r"pipe\.toml is not a config\nexpected  a TOML file\nfound     a pipe"):
        load(tmp_path / "pipe.toml")


@pytest.mark.parametrize("content", [b"id\treview\n1\tgood\n", b"caf\xe9", b"x" * 1_000_001])
def test_a_text_in_the_place_of_a_config_is_told_where_it_belongs(content: bytes, tmp_path: Path) -> None:
    """The error has the setting for a text to copy, and for a key without its section."""
    (tmp_path / "reviews.tsv").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"--set ingestion\.source={tmp_path / 'reviews.tsv'}$"):
        load(tmp_path / "reviews.tsv")
    with pytest.raises(ConfigError, match=r"unknown key source\ndid you mean `ingestion\.source`\?"):
        load(None, ["source=reviews.tsv"])


def test_a_key_is_set_once() -> None:
    """Two different values for a key are refused; the same value twice is accepted."""
    check_once(["training.epochs=3", "training.epochs = 3", "seed=1"])
    with pytest.raises(ConfigError, match=r"training\.epochs twice, before as 3"):
        check_once(["training.epochs=3", "training.epochs=4"])


def test_devices_are_no_config() -> None:
    """An endless device is refused without reading it to its end."""
    with pytest.raises(ConfigError, match="/dev/zero is not a config"):
        load("/dev/zero")


def test_a_model_belongs_to_a_config() -> None:
    """It bears the config's name, without what MLflow refuses; later changes of the name do not change the model."""
    source = "ingestion.source=x"
    assert load(None, [source]).tracking.registered_model == "retraining"
    assert load(None, [source, "name=a/b: c"]).tracking.registered_model == "a-b- c"
    assert load(None, [source, "name=..."]).tracking.registered_model == "-"
    assert load(None, [source, "name=mine", "training.epochs=2"]).tracking.registered_model == "mine"
    assert load(None, [source, "name=mine", "tracking.registered_model=ours"]).tracking.registered_model == "ours"
    assert load(None, [source, "name=mine", "tracking.registered_model="]).tracking.registered_model == "mine"
    assert Config(ingestion=Ingestion(source="x"), tracking=Tracking(uri="y")).tracking.registered_model == "retraining"
