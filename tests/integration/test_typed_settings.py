"""For every setting that a user may type, `plan` accepts it or gives one error message."""

import json
import os
import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from configs.loading import ConfigError, load
from configs.schema import Config
from flows.cli.main import _message
from flows.planning import foresight, plan, warm_start
from tasks.errors import PipelineError
from tasks.tracking.session import Tracker
from tests.support.paths import SHARED

CASES = SHARED / "cases"
TEXT = "the cat sat on the mat and the dog sat on the log\n" * 40


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small corpus, files that are not a corpus, and difficult names."""
    folder = tmp_path_factory.mktemp("door")
    (folder / "text.txt").write_text(TEXT)
    (folder / "empty.txt").write_text("")
    (folder / "binary.parquet").write_bytes(os.urandom(100))
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "[x].txt").write_text(TEXT)
    return folder


def outcome(values: list[str], place: Path, path: Path | None = None) -> str:
    """Plan with these settings; return "" or the message of an expected error. Other errors are raised."""
    given = [f"ingestion.source={place / 'text.txt'}", "vocabulary.min_count=1", f"runtime.workspace={place / 'ws'}"]
    said = ""
    try:
        config = load(path, [*given, *values])
        begun = warm_start.chosen(config, Tracker(config)).config
        foresight.foresee(begun, Tracker(begun), plan.plan(begun))
        foresight.sampled(begun)
    except (ConfigError, PipelineError) as error:
        said = _message(error)
    assert not said or ("\n" in said and "not expected" not in said), said
    return said


SOURCES = [
    "", " ", ".", "~nosuchuser/x", "/data/**x", "**", "[", "[!]", "http://[::1", "http://", "s3://", "://", "ftp://x/y",
    "https://host/x.txt", "x" * 300, "x" * 5_000, "a/" * 3_000, "{place}/loop", "{place}/loop/x", "{place}/folder",
    "{place}/empty.txt", "{place}/binary.parquet", "{place}/text.txt/x", "{place}/[x].txt", "{place}/*", "/dev/null",
    "\u202e", "\x1b[2J", "[red]", "-", "--help", "installed-docs", "file:///etc/hosts", "C:\\corpus", "\udcff", "a\nb",
    "2024", "true", "[]", "{{}}",
]  # fmt: skip


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: ascii(source)[:30])
def test_any_source(source: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that cannot be used gives an error message, never a traceback."""
    monkeypatch.chdir(place / "folder")
    outcome([f"ingestion.source={source.format(place=place)}"], place)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("~nosuchuser/x", "Could not determine home directory|Can't determine home directory"),
        ("/data/**x", "Invalid pattern"),
        ("http://[::1", "Invalid IPv6"),
        ("x" * 5_000, "File name too long"),
        ("{place}/loop/x", "no such file|[Ss]ymlink loop|symbolic links"),
    ],
)
def test_names_that_can_be_none(source: str, found: str, place: Path) -> None:
    """The message is short and has the system's reason."""
    said = outcome([f"ingestion.source={source.format(place=place)}"], place)

    assert re.search(found, said), said
    assert len(said) < 1_000


def test_nested_toml(place: Path) -> None:
    """Too deep nesting gives an error message."""
    path = CASES / "toml-5000-nested.toml"
    if not path.exists():
        pytest.skip("../shared/cases is not here")

    assert "nested too deeply" in outcome([], place, path)


NUMBERS = st.sampled_from([0, -1, 1, 2, 7, 255, 256, 2**31, 2**63, 2**64, 10**30]) | st.integers(-3, 2_000)
FLOATS = st.sampled_from([0.0, -0.0, 1e-300, 1e-12, 0.5, 1.0, 1e300, float("inf"), float("-inf"), float("nan")])
WORDS = st.sampled_from(
    [
        "",
        " ",
        "x",
        "a/b",
        "../..",
        "~nosuchuser",
        "[red]",
        "\x00",
        "\n",
        "\u202e",
        "champion",
        "last",
        "full",
        "true",
        "x" * 5_000,
    ]
) | st.text(max_size=10)
ANY: st.SearchStrategy[Any] = (
    NUMBERS | FLOATS | WORDS | st.booleans() | st.lists(WORDS | NUMBERS, max_size=2) | st.just({})
)


def keys() -> list[str]:
    """Return every key of the schema."""
    found = []
    for name, field in Config.model_fields.items():
        below = getattr(field.annotation, "model_fields", None)
        found += [f"{name}.{key}" for key in below] if below else [name]
    return [key for key in found if key not in {"runtime.portable", "runtime.workspace", "tracking.uri"}]


def written(value: Any) -> str:
    """Return the value as TOML."""
    if isinstance(value, float):
        return str(value)
    return json.dumps(value) if not isinstance(value, dict) else "{}"


@st.composite
def changes(draw: st.DrawFn) -> list[str]:
    """One to three settings, typed bare or as TOML."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        value = draw(ANY)
        text = value if isinstance(value, str) and draw(st.booleans()) else written(value)
        found.append(f"{draw(st.sampled_from(keys()))}={text}")
    return found


def check(place: Path, values: list[str]) -> None:
    try:
        outcome(values, place)
    except Exception:
        pytest.fail(f"--set {values!r}\n{traceback.format_exc()}", pytrace=False)


quietly = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@given(values=changes())
@settings(max_examples=100, deadline=None, suppress_health_check=quietly, phases=[Phase.generate, Phase.shrink])
def test_any_setting(place: Path, values: list[str]) -> None:
    """Values of every kind for every key give a plan or an error message."""
    check(place, values)


@pytest.mark.long
@given(values=changes())
@settings(max_examples=5_000, deadline=None, suppress_health_check=quietly)
def test_any_setting_at_length(place: Path, values: list[str]) -> None:
    """The same for a longer time."""
    check(place, values)


@pytest.mark.parametrize(
    "grid",
    [
        "", "=", "training.epochs", "training.epochs=", "training.epochs=1..", "training.epochs=5..1", "x.y=1,2",
        "training.epochs=1,1", "training.epochs=[[[[", "training.epochs=" + "[" * 5_000, "ingestion.source=,",
        "training.epochs=" + "9" * 5_000 + ",1", "training.vector_size=1,1000000000", "training.epochs.x=1,2",
        "training=1,2", "training.learning_rate=nan,1", "training.learning_rate=0.1..inf",
    ],
    ids=lambda grid: grid[:30],
)  # fmt: skip
@pytest.mark.parametrize("random", [None, 2])
def test_any_grid(grid: str, random: int | None, place: Path) -> None:
    """A wrong grid is refused before anything starts."""
    from flows.planning.candidates import candidates

    config = load(None, [f"ingestion.source={place / 'text.txt'}", f"runtime.workspace={place / 'ws'}"])
    with pytest.raises((ConfigError, PipelineError)) as error:
        candidates(config, [grid], random, "loss/held_out")

    assert "\n" in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["promotion.gates=['similarity/men3000']"], "promotion.gates: similarity/men3000\nexpected  one of"),
        (['promotion.floors={"similarity/men3000"=0.3}'], "promotion.floors: similarity/men3000\nexpected  one of"),
        (["tokenization.pattern=("], "tokenization.pattern\nexpected  an RE2 expression"),
        (["training.batch_size=1000000", "training.shared_negatives=0", "training.negatives=1000"],
         "memory of training\nexpected  at most "),
        (["training.objective=softmax", "training.batch_size=1000000", "training.vector_size=10000"], ""),
    ],
)  # fmt: skip
def test_said_before_the_work(settings: list[str], message: str, place: Path) -> None:
    """Scores that no run will have, invalid patterns, and far too large sizes are errors, with settings that fit."""
    said = outcome(settings, place)

    assert said.startswith(message)
    assert "would fit" in said or "memory" not in said


def test_what_is_tight_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a little more memory or disk is needed than there is, a warning says what fits; far more is an error."""
    config = load(
        None,
        [f"ingestion.source={place / 'text.txt'}", f"runtime.workspace={place / 'ws'}", "windows.held_out_fraction=0"],
    )
    planned = plan.plan(config)
    monkeypatch.setattr(foresight, "_free", lambda workspace: 15_000)
    assert [each.partition(":")[0] for each in foresight.foresee(config, Tracker(config), planned).warnings] == [
        "disk for the store"
    ]

    monkeypatch.setattr(foresight, "_free", lambda workspace: 1_000)
    with pytest.raises(
        ConfigError, match=r"disk for the store\nexpected  at most 0 MB(?s:.*)training\.epochs=1 would fit"
    ):
        foresight.foresee(config, Tracker(config), planned)


def test_a_plan_shows_the_first_documents(place: Path) -> None:
    """The plan shows documents by name, as the words that will be counted."""
    config = load(None, [f"ingestion.source={place / 'text.txt'}", "ingestion.text_documents=line"])
    (name, words), *_ = foresight.sampled(config)

    assert name == "text.txt:1"
    assert " ".join(words) == "the cat sat on the mat and the dog sat on the log"
