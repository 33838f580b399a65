"""`w2v init` and `w2v config`."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from configs.loading import load
from flows.cli.main import app
from flows.cli.output.beginning import name_of


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ask(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(app, list(words), env=environment, catch_exceptions=True)


def test_init_shows_the_text_and_writes_a_config_for_it() -> None:
    """The first documents as words, a file that loads with what was set, and the next command."""
    Path("my reviews.csv").write_text("review,stars\nGood array of SHOES,5\nBad,1\n")
    done = ask("init", "my reviews.csv", "--set", "ingestion.text_column=review", "--set", "promotion.automatic=false")
    config = load("my-reviews.toml")

    assert done.exit_code == 0, done.exception
    assert "about 2 documents, 22 characters in all" in done.output
    assert "good array of shoes" in done.output
    assert "next     w2v plan my-reviews.toml" in done.output
    assert (config.name, config.ingestion.source, config.ingestion.text_column) == (
        "my-reviews", "my reviews.csv", "review",
    )  # fmt: skip
    assert not config.promotion.automatic
    assert config.training.epochs == 20
    assert "runtime" not in tomllib.loads(Path("my-reviews.toml").read_text())


def test_init_finds_the_columns_of_items() -> None:
    """Usual names of columns are found, said and written; the sessions are shown; other names are asked for."""
    Path("orders.csv").write_text("InvoiceDate,InvoiceNo,SKU\n2026-01-02,1,red wine\n2026-01-03,1,blue cheese\n")
    Path("odd.csv").write_text("a,b\n1,2\n")
    done, unclear = ask("init", "orders.csv", "--items"), ask("init", "odd.csv", "--items")
    near = ask("init", "orders.csv", "--items", "--set", "windows.window=3", "-o", "near.toml")
    config = load("orders.toml")

    assert done.exit_code == 0, done.exception
    assert 'found by its name: ingestion.session_column="InvoiceNo"' in done.output
    assert "red wine · blue cheese" in done.output
    assert config.tokenization.kind == "items"
    assert (config.windows.window, load("near.toml").windows.window) == ("document", 3), near.exception
    assert (config.ingestion.session_column, config.ingestion.text_column, config.ingestion.time_column) == (
        "InvoiceNo", "SKU", "InvoiceDate",
    )  # fmt: skip
    assert "found     a, b\n" in str(unclear.exception)
    assert "A table of events needs two columns" in str(unclear.exception)
    assert not Path("odd.toml").exists()


def test_init_overwrites_nothing() -> None:
    """An existing file stays as it is, and a text that cannot be read leaves no config."""
    Path("a.txt").write_text("one two three")
    Path("a.toml").write_text("mine")
    taken, missing = ask("init", "a.txt"), ask("init", "b.txt", "-o", "b.toml")

    assert "a.toml exists already" in str(taken.exception)
    assert Path("a.toml").read_text() == "mine"
    assert "no such file or folder" in str(missing.exception)
    assert not Path("b.toml").exists()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("reviews.csv.gz", "reviews"), ("corpus/**/*.txt", "corpus"), ("s3://bucket/deep/prefix/", "prefix"),
        ("https://host/dump-2026.jsonl.zst?x=1", "dump-2026"), ("/", None), ("*.txt", None), (".", None),
        ("übung 1.txt", "übung-1"),
    ],
)  # fmt: skip
def test_the_name_is_that_of_the_text(source: str, name: str | None, tmp_path: Path) -> None:
    """Endings, wildcards and queries are left out; the working folder gives its own name."""
    assert name_of(source) == (name or tmp_path.name)


def test_show_says_where_each_value_comes_from() -> None:
    """The file, --set, --workspace and the environment are told apart; the output is TOML."""
    Path("my.toml").write_text('name = "mine"\n[ingestion]\nsource = "x.txt"\n[training]\nepochs = 7\nnegatives = 9\n')
    words = ("config", "show", "my.toml", "--set", "training.epochs=8")
    lines, placed = ask(*words).output.splitlines(), ask(*words, "--workspace", "ws").output
    of_environment = ask(*words, W2V_WORKSPACE="elsewhere").output

    assert {"epochs = 8  # --set", "negatives = 9  # my.toml", "window = 5  # default"} <= {*lines}
    assert 'workspace = "ws"  # --workspace' in placed
    assert 'workspace = "elsewhere"  # W2V_WORKSPACE' in of_environment
    assert tomllib.loads(placed)["training"]["epochs"] == 8


def test_check_reads_and_refuses() -> None:
    """A valid config is said to be so; a wrong one is the error of all commands."""
    Path("right.toml").write_text('[ingestion]\nsource = "x.txt"\n')
    Path("wrong.toml").write_text('[ingestion]\nsource = "x.txt"\n[training]\nepoch = 7\n')

    assert "✓ right.toml: experiment 'retraining'" in ask("config", "check", "right.toml").output
    assert "wrong.toml: unknown key training.epoch\ndid you mean `epochs`?" in str(
        ask("config", "check", "wrong.toml").exception
    )


def test_the_schema_is_that_of_the_config() -> None:
    """Editors get each key with its description, and learn which keys are unknown."""
    schema = json.loads(ask("config", "schema").output)
    found = schema["$defs"]["Training"]

    assert schema["$schema"].startswith("https://json-schema.org/")
    assert found["properties"]["negatives"]["description"] == "The number of noise words for each pair."
    assert found["additionalProperties"] is False
