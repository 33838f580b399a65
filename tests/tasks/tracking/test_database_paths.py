"""Addresses of MLflow's database and files: any folder name works, and nothing is written beside the folder."""

import shutil
from pathlib import Path

import pytest
from mlflow.store.db.utils import _make_parent_dirs_if_sqlite

from tasks.errors import StoreError
from tasks.tracking.client import reached
from tasks.tracking.database_paths import (
    LONGEST,
    address_of,
    artifact_address,
    artifact_folder,
    check_name,
    database_at,
)
from tasks.tracking.run import Run

NAMES = [
    "plain", "a%25b", "100%", "%2e%2e", "a?x=1", "a?uri=true", "a#b", "a&b;c", "two  words", "a'b\"", "a\nb\tc",
    "a:b@c", "-dash", "[a]*", "a\\b", "~", "$HOME {x}", "\u0065\u0301 \u00e9 \u65e5\u672c", "file:x",
    "sqlite:x", "x" * 200,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_an_address_names_the_file(name: str, tmp_path: Path) -> None:
    """The address leads back to the file, for the database and for the folder of artifacts."""
    place = tmp_path / name

    assert database_at(address_of(place / "mlflow.db")) == place / "mlflow.db"
    assert artifact_folder(artifact_address(place)) == place


def test_other_addresses_name_no_file() -> None:
    """The address of a server, another database or a bucket names no file."""
    assert database_at("http://127.0.0.1:5000") is database_at("postgresql://host/mlflow") is None
    assert database_at("sqlite:///runs.db?timeout=9") == Path("runs.db")
    assert artifact_folder("s3://bucket/mlartifacts") is artifact_folder("mlartifacts") is None


@pytest.mark.parametrize(
    "name", ["100%25", "a?uri=true", "a#b;c&d", "two  'w\"", "a\nb", "-a:b@c", *NAMES[-4:-2]], ids=ascii
)
def test_mlflow_keeps_to_the_folder(name: str, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, their files and models are found again, and nothing lies beside the workspace."""
    monkeypatch.chdir(tmp_path)
    workspace = tmp_path / "only" / name
    workspace.mkdir(parents=True)
    shutil.copy(database, workspace / "mlflow.db")
    (tmp_path / "report.md").write_text("words")
    address = address_of(workspace / "mlflow.db")
    with reached(address) as client:
        experiment = client.create_experiment("e", artifact_location=artifact_address(workspace / "mlartifacts"))
        run = Run(address, client.create_run(experiment).info.run_id)
        client.log_artifact(run.id, str(tmp_path / "report.md"), "folder")
        model = client.create_logged_model(experiment, "m", source_run_id=run.id)
        client.create_registered_model("vectors")
        client.create_model_version("vectors", model.artifact_location, run.id, model_id=model.model_id)

    assert (workspace / "mlartifacts" / run.id / "artifacts" / "folder" / "report.md").read_text() == "words"
    assert run.text("folder/report.md") == "words"
    _make_parent_dirs_if_sqlite(address)  # as its server does

    assert [path.name for path in (tmp_path / "only").iterdir()] == [name]
    assert {path.name for path in tmp_path.iterdir()} == {"only", "report.md"}


@pytest.mark.parametrize(
    ("name", "expected"), [("x/" * 300, "too long"), (b"caf\xe9", "not UTF-8")], ids=["long", "latin"]
)
def test_what_sqlite_cannot_open_is_refused(name: str | bytes, expected: str, tmp_path: Path) -> None:
    """It is refused before anything is written."""
    place = Path(str(tmp_path), name if isinstance(name, str) else name.decode(errors="surrogateescape"))
    with pytest.raises(StoreError, match=expected):
        check_name(place)
    check_name(Path("/", "x" * (LONGEST - 1)))

    assert not list(tmp_path.iterdir())


def test_a_database_in_a_folder_of_the_longest_name_opens(database: Path, tmp_path: Path) -> None:
    """A path of exactly the limit works."""
    place = tmp_path
    while (left := LONGEST - len(str(place))) > 250:
        place /= "x" * 200
    place /= "y" * (left - 1)
    assert len(str(place)) == LONGEST
    (place / "prefect").mkdir(parents=True)
    for copy in (place / "mlflow.db", place / "prefect" / "prefect.db"):
        shutil.copy(database, copy)

        with reached(address_of(copy)) as client:
            assert client.create_experiment("e")
