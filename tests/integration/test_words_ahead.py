"""Words counted before the work: what a stage would refuse is refused, and the estimates are near the result."""

from collections import Counter
from pathlib import Path

import pytest
from mlflow import MlflowClient

from configs.loading import load
from configs.schema import Config
from flows.cli.output import plans, report
from flows.planning import foresight, plan
from flows.planning.foresight import Foreseen
from tasks.engine import progress
from tasks.engine.stage import Context
from tasks.errors import InputError, TrackingError
from tasks.ingestion import estimate
from tasks.ingestion.stage import ingestion
from tasks.tracking import address
from tasks.tracking.session import Tracker
from tests.support.runs import start_run

TEXT = "\n".join(f"the quick brown fox number {n} and the lazy dog" for n in range(60))


def config_of(folder: Path, *settings: str, text: str = TEXT) -> Config:
    (folder / "text.txt").write_text(text)
    given = [f"ingestion.source={folder / 'text.txt'}", "ingestion.text_documents=line", f"runtime.workspace={folder}"]
    return load(None, [*given, *settings])


def foreseen(config: Config) -> Foreseen:
    return foresight.foresee(config, Tracker(config), plan.plan(config))


@pytest.mark.parametrize("ingested", [False, True])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["tokenization.pattern=fox"], "no document has two words with a vector\n(.*\n)*found     1 in the"),
        (["vocabulary.min_count=200"], "the vocabulary is empty\n(.*\n)*found     600 occurrences of 68 words"),
        (["tokenization.pattern=[q]{3}"], "no word in 60 documents\n"),
    ],
)
def test_what_a_stage_would_refuse_is_refused(
    settings: list[str], message: str, tmp_path: Path, *, ingested: bool
) -> None:
    """The error is the stage's own, from all documents, also if they are ingested already."""
    config = config_of(tmp_path, *settings)
    if ingested:
        ingestion.compute(context=Context(runtime=config.runtime), config=config.ingestion)

    with pytest.raises(InputError, match=message):
        foreseen(config)


def test_one_long_document_behind_short_ones_is_enough(tmp_path: Path) -> None:
    """It counts although it is not among the first five documents."""
    short = "\n".join(f"word{n % 3}" for n in range(80))
    config = config_of(tmp_path, "vocabulary.min_count=1", "windows.window=5", text=short + "\n" + "word0 word1 " * 5)

    assert foreseen(config).warnings == []


@pytest.mark.parametrize(("lines", "fraction", "said"), [(19, 0.005, 1), (20, 0.005, 0), (19, 0, 0)])
def test_no_held_out_document_is_said(tmp_path: Path, lines: int, fraction: float, said: int) -> None:
    """J(θ) will not be known, unless that is what was asked for."""
    text = "the quick brown fox and the lazy dog\n" * lines
    settings = ["vocabulary.min_count=1", "vocabulary.subsample=0", f"windows.held_out_fraction={fraction}"]
    warnings = foreseen(config_of(tmp_path, *settings, text=text)).warnings

    assert [each.startswith(f"none of {lines:,} document") for each in warnings] == [True] * said


def test_of_a_beginning_alone_it_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is only a warning, since the rest of the text may differ."""
    monkeypatch.setattr(estimate, "ENOUGH", 2_000)
    (warning,) = foreseen(config_of(tmp_path, "tokenization.pattern=fox", "vocabulary.subsample=0")).warnings

    assert warning.startswith("in the first ")
    assert "no document has two words with a vector" in warning


def test_what_is_expected_of_a_small_text_is_what_comes(tmp_path: Path) -> None:
    """Vocabulary and windows are counted, not estimated from the length as for English."""
    config = config_of(tmp_path, "vocabulary.min_count=1", "vocabulary.subsample=0")
    expected = foreseen(config).expected
    words = Counter(TEXT.split())

    assert expected["vocabulary"].rows == len(words)
    assert expected["windows"].rows == words.total()
    assert expected["evaluation"].seconds < 5


def test_clauses_of_a_script_without_spaces_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The warning comes before the work and is not repeated in it."""
    text = "\n".join(["市长江大桥 你好世界 今天天气 我们一起 学习中文"] * 30)
    config = config_of(tmp_path, text=text)
    report.warn(foreseen(config))
    documents = ingestion.compute(context=Context(runtime=config.runtime), config=config.ingestion)
    from tasks.tokenization import tokenization

    tokenization.compute(context=Context(runtime=config.runtime), documents=documents, config=config.tokenization)

    assert caplog.text.count("which puts no spaces between words") == 1
    assert "⚠ The text is 100% Chinese" in caplog.text or "⚠ The text is" in caplog.text


def test_a_deleted_experiment_is_found(tmp_path: Path) -> None:
    """The plan reports it as the retraining would, with the way to restore it."""
    config = config_of(tmp_path)
    start_run(config, "flow 1")
    MlflowClient(address.uri(config)).delete_experiment("1")

    with pytest.raises(TrackingError, match="the MLflow experiment 'word2vec' is deleted\nRestore it with"):
        foreseen(config)


def test_what_is_told_before_the_work_is_not_told_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Skipped files are reported by the plan, not again by the ingestion that follows, and again by a later plan."""
    caplog.set_level("INFO", "w2v")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "picture.png").write_bytes(b"x")
    (tmp_path / "corpus" / "text.txt").write_text(TEXT)
    config = config_of(tmp_path, f"ingestion.source={tmp_path / 'corpus'}")
    foreseen(config)
    ingestion.compute(context=Context(runtime=config.runtime), config=config.ingestion)
    assert caplog.text.count("1 file is not read: picture.png") == 1

    planned = plan.plan(config)
    plans.show(config, planned, *plans.shape(config, Tracker(config), planned, ""))

    assert caplog.text.count("1 file is not read: picture.png") == 2


def test_a_flow_run_that_no_command_has_looked_at_is_foreseen(tmp_path: Path) -> None:
    """The check runs once for each process and config: a command has done it, a worker has not."""
    config = config_of(tmp_path, "tokenization.pattern=\\w+", "vocabulary.subsample=1e-12")
    planned = plan.plan(config)

    assert foresight.foresee_once(config, Tracker(config), planned)
    assert foresight.foresee_once(config, Tracker(config), planned) == []
    assert progress.warned("never said") is False
