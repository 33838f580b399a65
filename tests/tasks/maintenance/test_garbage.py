"""Garbage collection keeps what a kept run uses, and deletes the rest."""

import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from configs.schema import Config, Ingestion, Runtime
from tasks.engine import environment
from tasks.engine.leases import Uses
from tasks.engine.stage import Context
from tasks.engine.store import LATEST, MANIFEST, Account, Dataset, Draft, joined
from tasks.maintenance.garbage import DAY, Known, Policy, collect
from tasks.maintenance.survey import survey
from tasks.tracking import address
from tasks.tracking import client as tracking_client
from tests.support.runs import finish_run, start_run
from tests.support.trained import windows_of

NONE_KEPT = Policy(last=0, days=0)


def known(
    name: str,
    status: str = "FINISHED",
    *,
    days: float = 100,
    named: bool = False,
    pinned: bool = False,
    start: str = "",
) -> Known:
    """Return a run that began and ended `days` ago."""
    at = time.time() - days * DAY
    return Known(name, status, "here", at, at, named, pinned, start)


def used(context: Context, run: str, word: int) -> Dataset:
    """Return an output that only this run uses."""
    made = windows_of(context, [0], [word], [1])
    Uses(Path(context.runtime.workspace)).note(run, made.stage, made.key)
    return made


def swept(context: Context, policy: Policy, *runs: Known, dry_run: bool = False) -> list[Path]:
    garbage = collect(Path(context.runtime.workspace), policy, lambda _: list(runs), dry_run=dry_run).garbage
    return [item.path for item in garbage]


def test_policy() -> None:
    """The last N runs, those younger than D days, those with an alias, and open ones are kept."""
    runs = [
        known("new", days=1),
        known("second", days=8),
        known("third", days=9),
        known("old"),
        known("deleted", "DELETED", days=0),
    ]
    runs += [
        known("champion", named=True),
        known("pinned", pinned=True),
        known("at work", "RUNNING"),
        known("of another server", "UNKNOWN"),
    ]
    always = {"champion", "pinned", "at work", "of another server"}

    assert set(Policy(last=0, days=0).keeps(runs)) == always
    assert set(Policy(last=2, days=0).keeps(runs)) == always | {"new", "second"}
    assert set(Policy(last=0, days=8.5).keeps(runs)) == always | {"new", "second"}


def test_downloads_go_with_what_was_read_from_them(context: Context) -> None:
    """Downloads stay with their outputs, and while any run is at work, which may still read them."""
    workspace = Path(context.runtime.workspace)
    for digest in ("read", "forgotten"):
        (workspace / "downloads" / digest).mkdir(parents=True)
    inputs = {"files": [{"name": "a.txt", "digest": "read"}]}
    made = context.store.make(
        "ingestion", "0" * 32, inputs, lambda _: Account(unit="documents", read=0, written=0), lambda *_: None
    )
    Uses(workspace).note("kept", made.stage, made.key)
    kept = known("kept", named=True)

    assert swept(context, NONE_KEPT, kept, known("at work", "RUNNING")) == []
    assert swept(context, NONE_KEPT, kept) == [workspace / "downloads" / "forgotten"]
    assert [path.name for path in (workspace / "downloads").iterdir() if path.is_dir()] == ["read"]


def test_what_no_kept_run_uses_goes(context: Context) -> None:
    """An output of two runs stays while one of them is kept."""
    shared, other, own = used(context, "kept", 1), used(context, "gone", 2), used(context, "kept", 3)
    used(context, "gone", 1)
    dropped = swept(context, Policy(last=1, days=0), known("kept", days=1), known("gone", days=2))

    assert dropped == [other.path]
    assert (shared.path.exists(), own.path.exists(), other.path.exists()) == (True, True, False)
    assert Uses(Path(context.runtime.workspace)).runs() == ["kept"]
    assert not list((context.store.root / "windows").glob(f"{other.key}*"))


def test_dry_run_names_the_same_and_removes_nothing(context: Context) -> None:
    """A dry run lists what the next run deletes."""
    made = used(context, "gone", 1)
    listed = swept(context, NONE_KEPT, known("gone"), dry_run=True)

    assert made.path.exists()
    assert swept(context, NONE_KEPT, known("gone")) == listed == [made.path]


def test_checkpoints_stay_with_their_run(context: Context) -> None:
    """An interrupted training is kept like any other run; an attempt without a run is not."""
    attempts = [context.store.root / "training" / name for name in ("interrupted", "nobody's")]
    for attempt in attempts:
        (attempt / "checkpoints" / "000001").mkdir(parents=True)
    Uses(Path(context.runtime.workspace)).note("run", "training", "interrupted")

    assert swept(context, Policy(last=1, days=0), known("run", "KILLED")) == attempts[1:]
    assert swept(context, NONE_KEPT, known("run", "KILLED")) == attempts[:1]


@pytest.mark.parametrize(("status", "stays"), [("RUNNING", True), ("UNKNOWN", True), ("KILLED", False)])
def test_files_of_a_killed_publication_go(context: Context, status: str, stays: bool) -> None:
    """Files gathered for MLflow stay while their run may be at work, also before it uses any output."""
    folder = Path(context.runtime.workspace) / "unpublished" / "run"
    folder.mkdir(parents=True)

    def ask(runs: list[str]) -> list[Known]:
        return [known(run, status) for run in runs]

    collect(Path(context.runtime.workspace), NONE_KEPT, ask, dry_run=False)
    assert folder.exists() == stays


def test_last_vectors_and_starts_stay(context: Context) -> None:
    """The vectors of `w2v neighbors`, and the warm start of a kept run, stay."""
    latest, first, unused = (used(context, "gone", word) for word in (1, 2, 3))
    (Path(context.runtime.workspace) / LATEST).write_text(latest.model_dump_json())
    second = known("second", days=1, start=str(first.path / "vectors.parquet"))
    used(context, "second", 4)

    assert swept(context, Policy(last=1, days=0), second, known("gone")) == [unused.path]


def test_what_nobody_has_noted_goes_by_its_age(context: Context) -> None:
    """An output without recorded use is judged by the age of its manifest."""
    old, young = windows_of(context, [0], [1], [1]), windows_of(context, [0], [2], [1])
    month_ago = time.time() - 30 * DAY
    os.utime(old.path / MANIFEST, (month_ago, month_ago))

    assert swept(context, Policy(last=5, days=29)) == [old.path]
    assert young.path.exists()


def test_prefects_record_goes_with_the_output(context: Context) -> None:
    """Prefect's record is deleted with the output, so that records do not pile up."""
    made = used(context, "gone", 1)
    record = Path(context.runtime.workspace) / "prefect-results" / f"windows-{made.key}"
    record.parent.mkdir()
    record.touch()
    swept(context, NONE_KEPT, known("gone"))

    assert not record.exists()


def test_parts_of_what_is_used_stay(context: Context) -> None:
    """Parts of a used output stay, also if the run that made them is gone."""
    parts = [used(context, "gone", word) for word in (1, 2, 3)]

    def join(draft: Draft) -> Account:
        draft.parts = parts[:2]
        return joined(draft.parts)

    made = context.store.make("windows", "joined", {}, join, lambda *_: None)
    Uses(Path(context.runtime.workspace)).note("kept", made.stage, made.key)
    Uses(Path(context.runtime.workspace)).note("kept", "windows", "to-come")

    assert swept(context, Policy(last=1, days=5), known("kept", days=1), known("gone")) == [parts[2].path]
    assert (
        len(swept(context, Policy(last=0, days=5), known("kept", days=6))) == 3
    )  # of whose parts nobody has taken note


def test_what_is_being_made_stays(context: Context) -> None:
    """An output whose lock is held is left alone."""
    made = used(context, "gone", 1)
    with FileLock(made.path.with_suffix(".lock")):
        assert swept(context, NONE_KEPT, known("gone")) == []
    assert made.path.exists()


def test_a_run_that_starts_meanwhile_waits(context: Context) -> None:
    """Between the survey and the deletion no run can begin to use an output."""
    used(context, "gone", 1)

    def ask(_: list[str]) -> list[Known]:
        with pytest.raises(TimeoutError):
            Uses(Path(context.runtime.workspace)).lock.acquire(timeout=0.1)
        return [known("gone")]

    assert collect(Path(context.runtime.workspace), NONE_KEPT, ask, dry_run=False).garbage


def test_mlflow_is_asked(tmp_path: Path) -> None:
    """Status, deletion, alias and pin of each run are found; abandoned runs are closed, other servers' unknown."""
    config = Config(ingestion=Ingestion(source="text.txt"), runtime=Runtime(workspace=str(tmp_path)))
    names = ("at work", "abandoned", "champion", "deleted")
    runs = {name: start_run(config, name) for name in names}
    with tracking_client.reached(address.uri(config)) as client:
        client.set_tag(runs["at work"], "keep", "true")
        client.set_tag(runs["abandoned"], "owner.started", environment.owner().started - 1_000)
        client.create_registered_model("vectors")
        client.create_model_version("vectors", "somewhere", runs["champion"])
        client.set_registered_model_alias("vectors", "champion", "1")
        finish_run(config, "champion", "FINISHED")
        client.delete_run(runs["deleted"])
    found = survey(tmp_path, [*runs.values(), "0" * 32])

    assert [run.status for run in found] == ["RUNNING", "KILLED", "FINISHED", "DELETED", "UNKNOWN"]
    assert [run.named for run in found] == [False, False, True, False, False]
    assert [run.pinned for run in found] == [True, False, False, False, False]
