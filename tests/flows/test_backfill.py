"""One retraining for each partition by date: in order, reused if done; missing partitions are named."""

import json
import logging
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from configs.loading import ConfigError
from configs.schema import Config, Tracking
from flows.backfill import Filled, backfill, partitions
from flows.cli.main import app
from flows.cli.output.outcomes import show_filled
from tasks.errors import InputError
from tasks.tracking import address, registry

MODEL = "filled"


def day(number: int) -> date:
    return date(2026, 1, number)


@pytest.fixture
def daily(config: Config, corpus: Path) -> Config:
    """Thirty lines of the corpus for each day, but none for the third."""
    lines = corpus.read_text().splitlines(keepends=True)
    for number, first in ((1, 0), (2, 30), (4, 60)):
        folder = corpus.parent / "days" / day(number).isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "part.txt").write_text("".join(lines[first : first + 30]))
    source = str(corpus.parent / "days" / "%Y-%m-%d" / "*.txt")
    return config.model_copy(
        update={
            "ingestion": config.ingestion.model_copy(update={"source": source}),
            "tracking": Tracking(registered_model=MODEL),
        }
    )


def days_of(found: list[Filled]) -> list[tuple[str, bool]]:
    return [(each.partition.day, each.found) for each in found]


def documents_of(found: list[Filled]) -> list[int]:
    return [each.run.outputs.trained.documents.manifest.account.read for each in found]


def nobody() -> None:
    raise AssertionError("there was nothing to do")


def test_missing_partitions_are_named(daily: Config, caplog: pytest.LogCaptureFixture) -> None:
    """All missing partitions are named before anything starts; with --skip-missing they are logged."""
    with pytest.raises(
        InputError, match=r"2 of 5 partitions are missing\nmissing   2026-01-03: .*/2026-01-03/\*\.txt\n .*05"
    ):
        partitions(daily, day(1), day(5), skip_missing=False)
    with caplog.at_level(logging.INFO, "w2v"):
        found = partitions(daily, day(1), day(5), skip_missing=True)

    assert [each.day for each in found] == ["2026-01-01", "2026-01-02", "2026-01-04"]
    assert "2026-01-03 is missing and skipped" in caplog.text
    with pytest.raises(InputError, match="1 of 1 partitions are missing"):
        partitions(daily, day(3), day(3), skip_missing=True)


def test_the_pattern_says_how_long_a_partition_is(daily: Config, tmp_path: Path) -> None:
    """Each month occurs once, in order, also across a new year."""
    for month in ("2025-12", "2026-01"):
        (tmp_path / f"{month}.txt").write_text("text")
    monthly = daily.model_copy(
        update={"ingestion": daily.ingestion.model_copy(update={"source": f"{tmp_path}/%Y-%m.txt"})}
    )
    found = partitions(monthly, date(2025, 12, 15), day(20), skip_missing=False)

    assert [(each.day, Path(each.source).name) for each in found] == [
        ("2025-12-15", "2025-12.txt"), ("2026-01-01", "2026-01.txt"),
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["corpus/*.txt", ["corpus/%Y.txt"], "https://host/%Y.txt"])
def test_a_source_without_a_date_is_wrong_use(daily: Config, source: str | list[str]) -> None:
    """A source without a date is refused, since its days are all the same."""
    with pytest.raises(ConfigError, match=r"no date in it\nexpected .* corpus/%Y-%m-%d/\*\.txt\nfound"):
        partitions(daily.model_copy(update={"ingestion": daily.ingestion.model_copy(update={"source": source})}),
                   day(1), day(2), skip_missing=False)  # fmt: skip


def test_days_in_the_wrong_order_are_wrong_use(daily: Config) -> None:
    """The error names both days."""
    with pytest.raises(ConfigError, match=r"expected  2026-01-02 or later\nfound     2026-01-01"):
        partitions(daily, day(2), day(1), skip_missing=False)


@pytest.mark.usefixtures("prefect_server")
def test_each_partition_has_a_run(daily: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """Each run trains on all partitions so far; finished ones are reused, and none is proposed for promotion."""
    wanted = partitions(daily, day(1), day(4), skip_missing=True)
    first = backfill(daily, wanted[:2], alone=False, serve=lambda: None)
    second = backfill(daily, wanted, alone=False, serve=lambda: None)
    third = backfill(daily, wanted, alone=False, serve=nobody)
    alone = backfill(daily, wanted[2:], alone=True, serve=lambda: None)
    show_filled(Console(), third)

    assert days_of(first) == [("2026-01-01", False), ("2026-01-02", False)]
    assert days_of(second) == [("2026-01-01", True), ("2026-01-02", True), ("2026-01-04", False)]
    assert [each.run.run_id for each in third] == [each.run.run_id for each in second]
    assert (documents_of(third), documents_of(alone)) == ([30, 60, 90], [30])
    assert capsys.readouterr().out.count("reused") == 3
    model = registry.model(address.uri(daily), MODEL)
    traced = CliRunner().invoke(app, ["trace", "seaa", "--json", "--workspace", daily.runtime.workspace])
    assert traced.exit_code == 0, traced.exception
    assert [len(each["runs"]) for each in json.loads(traced.stdout)["periods"]] == [1, 1, 1, 1]
    assert (Path(daily.runtime.workspace) / "comparisons" / "trace-seaa.html").exists()
    assert (len(model.versions), model.aliases, model.history) == (4, {}, [])
