"""A workspace that was moved or copied: its databases are updated, and its former place is not touched."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow import MlflowClient

from tasks.errors import StoreError, TrackingError
from tasks.tracking import heartbeat, ownership
from tasks.tracking.client import reached
from tasks.tracking.contents.vectors import vectors_of
from tasks.tracking.database_paths import address_of, artifact_address, artifact_folder
from tasks.tracking.moved import PLACES, Move
from tasks.tracking.relocation import LOST, SERVICE, relocate
from tasks.tracking.run import Run
from tests.support.disks import small_disk

# columns of MLflow's tables that are named as if they held a place, and hold none of the workspace
ELSEWHERE = {
    "evaluation_dataset_records.source", "issues.root_causes", "issues.source_run_id", "logged_models.source_run_id",
    "mcp_access_endpoints.url", "mcp_server_versions.source", "runs.source_name", "runs.source_version", "webhooks.url",
    "trace_info.db_payload_generation",
}  # fmt: skip


@pytest.fixture
def original(database: Path, tmp_path: Path) -> Path:
    """Create a workspace with a run, its files, a model and a version."""
    place = tmp_path / "original"
    place.mkdir()
    shutil.copy(database, place / "mlflow.db")
    fill(place)
    return place


def fill(place: Path) -> None:
    (place / "report.md").write_text("words")
    with reached(address_of(place / "mlflow.db")) as client:
        experiment = client.create_experiment("e", artifact_location=artifact_address(place / "mlartifacts"))
        run = client.create_run(experiment).info.run_id
        client.log_artifact(run, str(place / "report.md"))
        model = client.create_logged_model(experiment, "m", source_run_id=run)
        client.create_registered_model("vectors")
        client.create_model_version("vectors", model.artifact_location, run, model_id=model.model_id)
        client.log_param(run, "training.warm_start", place / "store" / "training" / "k" / "vectors.parquet")
    with closing(sqlite3.connect(place / "mlflow.db")) as writing, writing:
        source = json.dumps({"uri": str(place / "store" / "ingestion" / "k")})
        writing.execute("INSERT INTO datasets VALUES ('d', 1, 'n', 'x', 'local', ?, NULL, NULL)", [source])


def run_of(place: Path) -> Run:
    with reached(address_of(place / "mlflow.db")) as client:
        (record,) = client.search_runs(["1"])
    return Run(address_of(place / "mlflow.db"), record.info.run_id)


def files_of(place: Path) -> set[str]:
    """Return where MLflow now looks for the run's files: in the workspace."""
    folder = artifact_folder(run_of(place).record.info.artifact_uri)

    assert folder
    assert folder.is_relative_to(place)
    return {file.name for file in folder.iterdir()}


def mentions(database: Path, place: Path) -> set[str]:
    """Return every column of a database that contains the path."""
    found = set()
    with closing(sqlite3.connect(database)) as reading:
        for (table,) in reading.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, *_ in reading.execute(f'PRAGMA table_info("{table}")').fetchall():
                asked = f'SELECT 1 FROM "{table}" WHERE instr(CAST("{column}" AS TEXT), ?)'
                if reading.execute(asked, [str(place)]).fetchone():
                    found.add(f"{table}.{column}")
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_copy_leaves_the_original_alone(original: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The copy reads and writes its own files, the history is unchanged, and one line is logged, once."""
    before = content(original)
    copy = shutil.copytree(original, tmp_path / "copy ü%25?")
    run = run_of(copy)
    with reached(run.uri) as client:
        client.log_text(run.id, "news", "later.txt")

    assert files_of(copy) == {"report.md", "later.txt"}
    assert content(original) == before
    assert mentions(copy / "mlflow.db", original) == {"params.value"}
    assert caplog.messages == [f"workspace moved from {original} to {copy}: 6 places relocated"]


@pytest.mark.parametrize("way", ["plain", "ö 100%25", "a?b#c"])
def test_a_move_there_and_back(way: str, original: Path, tmp_path: Path) -> None:
    """A workspace moves from any name to any other; what is written on the way is found at the end."""
    there = shutil.move(original, tmp_path / way)
    run = run_of(there)
    with reached(run.uri) as client:
        client.log_text(run.id, "news", "later.txt")
    shutil.move(there, original)

    assert files_of(original) == {"report.md", "later.txt"}
    assert mentions(original / "mlflow.db", there) == set()


@pytest.fixture
def misread(database: Path, tmp_path: Path) -> Path:
    """Create a workspace as an earlier version did: it gave MLflow the unquoted path, and files went to `100%`."""
    old = tmp_path / "100%25"
    old.mkdir()
    shutil.copy(database, old)
    (tmp_path / "report.md").write_text("words")
    with reached(f"sqlite:///{database}"):  # tells MLflow to be quiet
        client = MlflowClient(f"sqlite:///{old}/mlflow.db")
    experiment = client.create_experiment("e", artifact_location=f"{old}/mlartifacts")
    client.log_artifact(client.create_run(experiment).info.run_id, str(tmp_path / "report.md"))
    (tmp_path / "100%" / "mlflow.db").touch()

    assert list((tmp_path / "100%").rglob("report.md"))
    return old


@pytest.mark.parametrize("name", ["100%25", "elsewhere"])
def test_an_old_workspace_with_a_percent_sign(
    name: str, misread: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Files are fetched, once, there or where the workspace is now; the folder that they went to, which may be another
    workspace, is left alone.
    """
    other = tmp_path / "100%"
    before, place = content(other), tmp_path / name
    if place != misread:
        misread.rename(place)

    assert files_of(place) == {"report.md"}
    assert files_of(place) == {"report.md"}
    assert content(other) == before
    moved = f"moved from {misread} to {place}: 2 places relocated"
    said = f"{place}: 2 places written as MLflow reads them" if place == misread else moved
    assert caplog.messages == [
        f"The files of 1 runs were copied from {other}, where MLflow had put them", f"workspace {said}"
    ]  # fmt: skip


def test_a_killed_fetch_is_completed(misread: Path, tmp_path: Path) -> None:
    """Files that are whole are not fetched again, and half fetched ones are deleted."""
    (there,) = (path.parent for path in (tmp_path / "100%").rglob("report.md"))
    place = misread / there.relative_to(tmp_path / "100%")
    half = place.with_name(f"{place.name}.partial")
    half.mkdir(parents=True)
    (half / "half").touch()
    copied = shutil.copytree(misread, tmp_path / "copy")
    (copied / place.relative_to(misread)).mkdir()
    (copied / place.relative_to(misread) / "whole").touch()

    assert files_of(misread) == {"report.md"}
    assert files_of(copied) == {"whole"}


def test_an_old_workspace_at_work_is_not_changed(misread: Path) -> None:
    """Its files may still go to the other folder."""
    address = f"sqlite:///{misread}/mlflow.db"
    (run,) = MlflowClient(address).search_runs(["1"])
    for name, value in ownership.owner_tags().items():
        MlflowClient(address).set_tag(run.info.run_id, name, value)

    with pytest.raises(StoreError, match=f"run {run.info.run_id} is at work in this workspace"):
        relocate(misread)


def test_copies_are_used_in_turn(original: Path, tmp_path: Path) -> None:
    """Using one copy does not move the other."""
    copies = [original, *(shutil.copytree(original, tmp_path / name) for name in "ab")]
    for _ in range(2):
        for place in copies:
            assert files_of(place) == {"report.md"}
            assert not any(mentions(place / "mlflow.db", each) - {"params.value"} for each in copies if each != place)


@pytest.fixture(params=["link", "mount"])
def also(original: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Another name of the workspace's folder."""
    place = tmp_path / "also"
    if request.param == "link":
        place.symlink_to(original)
        yield place
    else:
        place.mkdir()
        if subprocess.run(["mount", "--bind", str(original), str(place)], capture_output=True).returncode:
            pytest.skip("a folder can be mounted by root alone, and not in every container")
        yield place
        subprocess.run(["umount", str(place)], check=True)


def test_another_name_of_the_same_folder_is_no_move(
    original: Path, also: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a link, or a mount beside the folder, nothing is changed."""
    before = (original / "mlflow.db").read_bytes()
    relocate(also)

    assert (original / "mlflow.db").read_bytes() == before
    assert not caplog.messages


def test_places_that_are_chosen_stay(original: Path, tmp_path: Path) -> None:
    """An experiment's files stay in a bucket, in another folder, or in an `mlartifacts` outside a workspace."""
    chosen = tmp_path / "shared" / "mlartifacts"
    chosen.mkdir(parents=True)
    with reached(address_of(original / "mlflow.db")) as client:
        for name, place in (("a", chosen), ("b", "s3://bucket/mlartifacts"), ("c", tmp_path / "c")):
            client.create_experiment(name, artifact_location=str(place))
    copy = shutil.copytree(original, tmp_path / "copy")
    with reached(address_of(copy / "mlflow.db")) as client:
        places = {each.name: each.artifact_location for each in client.search_experiments()}

    assert places["e"] == str(copy / "mlartifacts")
    assert [places[name] for name in "abc"] == [str(chosen), "s3://bucket/mlartifacts", str(tmp_path / "c")]


def test_the_experiments_of_a_server_move_too(original: Path, tmp_path: Path) -> None:
    """A server gives each experiment a folder in `mlartifacts`; these are updated too."""
    with closing(sqlite3.connect(original / "mlflow.db")) as writing, writing:
        writing.execute("UPDATE experiments SET artifact_location = artifact_location || '/1' WHERE name = 'e'")
    moved = shutil.move(original, tmp_path / "moved")
    relocate(moved)

    assert mentions(moved / "mlflow.db", original) == {"params.value"}


def test_files_that_were_left_behind_are_counted(
    original: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A copy of the database alone does not write to the original, and logs how many runs lack their files."""
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(original / "mlflow.db", copy)
    relocate(copy)

    assert caplog.messages[1:] == [f"The files of 1 runs are still there: copy {original}/mlartifacts here"]
    assert "runs.artifact_uri" not in mentions(copy / "mlflow.db", original)


def test_what_prefect_is_still_to_run_moves(original: Path, tmp_path: Path) -> None:
    """Deployments and flow runs that have not ended are updated; the user's own folders and the history stay."""
    (original / "prefect").mkdir()
    parameters = json.dumps({"config": {"runtime": {"workspace": str(original)}, "source": f"{original}-text"}})
    with closing(sqlite3.connect(original / "prefect" / "prefect.db")) as writing, writing:
        writing.execute("CREATE TABLE deployment (parameters JSON, infra_overrides JSON, path TEXT, pull_steps JSON)")
        writing.execute("CREATE TABLE flow_run (parameters JSON, state_type TEXT)")
        writing.execute("INSERT INTO deployment VALUES (?, '{}', ?, ?)", [parameters, str(original), str(original)])
        writing.executemany(
            "INSERT INTO flow_run VALUES (?, ?)", [(parameters, "SCHEDULED"), (parameters, "COMPLETED")]
        )
    moved = shutil.move(original, tmp_path / "moved")
    relocate(moved)

    with closing(sqlite3.connect(moved / "prefect" / "prefect.db")) as reading:
        found = reading.execute("SELECT parameters, path, pull_steps FROM deployment").fetchone()
        rows = reading.execute("SELECT parameters FROM flow_run ORDER BY state_type DESC").fetchall()
    expected = {"config": {"runtime": {"workspace": str(moved)}, "source": f"{original}-text"}}
    assert (json.loads(found[0]), *found[1:]) == (expected, str(original), str(original))
    assert [json.loads(row[0]) for row in rows] == [expected, json.loads(parameters)]


def test_paths_within_parameters_are_rewritten(tmp_path: Path) -> None:
    """Also in lists and in addresses of databases; other paths and words stay."""
    before, here = tmp_path / "a", tmp_path / "b"
    move = Move(artifact_address(before), here)
    said = [{"uri": f"sqlite:///{before}/mlflow.db"}, str(before), f"{before}c", 7]

    assert json.loads(move.apply(json.dumps(said))) == [
        {"uri": f"sqlite:///{here}/mlflow.db"},
        str(here),
        f"{before}c",
        7,
    ]


def test_what_cannot_be_written_is_not_half_written(original: Path, tmp_path: Path) -> None:
    """If the disk fails in the middle, the next start does everything."""
    moved = shutil.move(original, tmp_path / "moved")
    with closing(sqlite3.connect(moved / "mlflow.db")) as writing, writing:
        writing.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON model_versions BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    before = (moved / "mlflow.db").read_bytes()
    with pytest.raises(StoreError, match="moved here, and mlflow") as told:
        relocate(moved)
    assert "refused" in str(told.value)

    assert (moved / "mlflow.db").read_bytes() == before
    with closing(sqlite3.connect(moved / "mlflow.db")) as writing, writing:
        writing.execute("DROP TRIGGER refuse")
    relocate(moved)

    assert mentions(moved / "mlflow.db", original) == {"params.value"}


def test_a_copy_that_cannot_be_written_is_told(original: Path, tmp_path: Path) -> None:
    """It is not used as it is, as a run in it would write into the original."""
    with small_disk(tmp_path / "disk", 9) as disk:
        copy = shutil.copytree(original, disk / "copy")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

        with pytest.raises(StoreError, match="expected  a folder and databases that can be written"):
            relocate(copy)


@pytest.mark.parametrize("name", ["mlflow.db", "prefect/prefect.db"])
def test_a_locked_database_is_waited_for(
    name: str, original: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The user is told of it soon; a locked workspace is not taken for one that was not moved."""
    moved = shutil.move(original, tmp_path / "moved")
    (moved / "prefect").mkdir()
    with closing(sqlite3.connect(moved / name, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        threading.Timer(4, other.rollback).start()
        relocate(moved)

    assert caplog.messages == [
        f"waiting for {moved / name}, which another process has locked …",
        f"workspace moved from {original} to {moved}: 6 places relocated",
    ]


def test_one_process_relocates_at_a_time(original: Path, tmp_path: Path) -> None:
    """Another one waits, and has nothing to do then."""
    moved = shutil.move(original, tmp_path / "moved")
    lock = FileLock(moved / "mlflow.db.lock", thread_local=False)
    lock.acquire()
    threading.Timer(2, lock.release).start()
    relocate(moved)

    assert not lock.is_locked
    assert files_of(moved) == {"report.md"}


def test_a_workspace_is_not_moved_from_under_a_run(original: Path, tmp_path: Path) -> None:
    """Nor while the service is at work; a copy of a workspace at work may be opened."""
    run = run_of(original)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        run.tag(ownership.owner_tags() | {ownership.PID: other.pid, ownership.STARTED: time.time()})
        relocate(shutil.copytree(original, tmp_path / "copy"))
        moved = shutil.move(original, tmp_path / "moved")
        with pytest.raises(
            StoreError, match=f"run {run.id} is at work in this workspace, which it knows as {original}"
        ):
            relocate(moved)
        other.communicate(b"\n")
    (moved / "service").mkdir()
    with FileLock(moved / "service" / ".lock"), pytest.raises(StoreError, match="the service is at work"):
        relocate(moved)
    relocate(moved)

    assert files_of(moved) == {"report.md"}


def test_the_service_itself_may_relocate(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes know their folder from the environment; the service of another workspace is another."""
    moved = shutil.move(original, tmp_path / "moved")
    (moved / "service").mkdir()
    with FileLock(moved / "service" / ".lock"):
        monkeypatch.setenv(SERVICE, str(original / "service"))
        with pytest.raises(StoreError, match="the service is at work"):
            relocate(moved)
        monkeypatch.setenv(SERVICE, str(moved / "service"))
        relocate(moved)

    assert files_of(moved) == {"report.md"}


@pytest.mark.parametrize(("age", "at_work"), [(LOST - 60, True), (LOST + 60, False), (None, False)])
def test_a_run_of_another_host_is_judged_by_its_heartbeat(
    age: float | None, at_work: bool, original: Path, tmp_path: Path
) -> None:
    """Without a recent one, the run is dead, and the workspace may be relocated."""
    tags = ownership.owner_tags() | {ownership.HOST: "other"}
    beat = tags.pop(heartbeat.BEAT)
    if age is not None:
        tags[heartbeat.BEAT] = (datetime.fromisoformat(beat) - timedelta(seconds=age)).isoformat()
    run_of(original).tag(tags)
    moved = shutil.move(original, tmp_path / "moved")
    with pytest.raises(StoreError, match="is at work") if at_work else nullcontext():
        relocate(moved)

    assert bool(mentions(moved / "mlflow.db", original) - {"params.value"}) == at_work


@pytest.mark.parametrize("content", [b"no database" * 1_000, b""])
def test_another_file_is_left_to_mlflow(content: bytes, tmp_path: Path) -> None:
    """If the file is damaged, or has no tables of MLflow's, MLflow says so."""
    (tmp_path / "mlflow.db").write_bytes(content)
    relocate(tmp_path)

    assert (tmp_path / "mlflow.db").read_bytes() == content


def test_the_columns_that_hold_places_are_known(database: Path) -> None:
    """If a new version of MLflow has another column with such a name, look at it and add it to PLACES or here."""
    named = re.compile("artifact|location|path|root|source(?!_id|_type)|storage|uri|url|folder|payload")
    with closing(sqlite3.connect(database)) as reading:
        tables = [row[0] for row in reading.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            f"{table}.{row[1]}" for table in tables for row in reading.execute(f'PRAGMA table_info("{table}")')
            if "CHAR" in row[2].upper() or row[2].upper() in ("TEXT", "JSON")
        }  # fmt: skip
    ours = {f"{table}.{column}" for table, every in PLACES.items() for column in every}

    assert ours <= columns
    assert {name for name in columns if named.search(name.split(".")[1])} <= ours | ELSEWHERE


def test_missing_files_are_reported(original: Path) -> None:
    """The error does not claim that the run never had files, nor blame MLflow."""
    run = run_of(original)
    with reached(run.uri) as client:
        client.set_terminated(run.id)
    shutil.rmtree(original / "mlartifacts")

    with pytest.raises(
        TrackingError, match=f"^files of this run are gone.*\nexpected  {original}/mlartifacts/{run.id}"
    ):
        run_of(original).text("report.md")
    with pytest.raises(TrackingError, match=r"^files of this run are gone"):
        vectors_of(run_of(original))
