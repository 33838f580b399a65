"""`w2v runs`, `show`, `logs`, `open`: find a run and read about it; and completion, which finds them by their start."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset

from configs.schema import Config, Ingestion, Runtime
from flows.cli.output import found
from flows.cli.output.promotion import named
from flows.cli.output.shapes import History, Plan
from flows.query.listing import RunDetails, RunRow
from flows.service.status import Status
from tasks.errors import InputError
from tasks.tracking import address, names
from tasks.tracking.run import Input, Run
from tests.flows.cli.test_startup import W2V
from tests.support.commands import called
from tests.support.runs import finish_run, start_run

SCORES = {"loss/held_out": 3.21, "similarity/pairs": 0.5, "coverage/pairs": 0.9, "interval/pairs.low": 0.4,
          "interval/pairs.high": 0.6}  # fmt: skip


@pytest.fixture(scope="module")
def ids(workspace: Path) -> list[str]:
    """Return a champion, a failed run, and a run of another model, in this order."""
    config = Config(name="night=ly", ingestion=Ingestion(source="x"), runtime=Runtime(workspace=str(workspace)))
    flows = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(3)]
    made = []
    for number, flow in enumerate(flows):
        made.append(start_run(config, flow, f"=run {number}"))
        finish_run(config, flow, "FAILED" if number == 1 else "FINISHED")
    client = MlflowClient(address.uri(config))
    for run, model in ((made[0], "nightly"), (made[2], "other")):
        Run(address.uri(config), run).metrics(SCORES, 0)
        Run(address.uri(config), run).tag({names.MODEL_VERSION: f"{model}/1", names.VERDICT: "promoted"})
        client.create_registered_model(model)
        client.create_model_version(model, "somewhere", run)
    client.set_registered_model_alias("nightly", "champion", "1")
    return made


def test_runs_are_listed(ids: list[str], workspace: Path) -> None:
    """Newest first, with state, version, champion and scores; JSON has one shape, CSV no formula, a file no colour."""
    table, data, sheet = (called("runs", *how, "--workspace", workspace) for how in ([], ["--json"], ["--csv"]))
    rows = [RunRow(**each) for each in json.loads(data.stdout)]
    lines = list(csv.DictReader(sheet.stdout.splitlines()))

    assert [row.run for row in rows] == ids[::-1]
    assert [row.state for row in rows] == ["finished", "failed", "finished"]
    assert (rows[2].version, rows[2].aliases, rows[2].scores["similarity/pairs"]) == ("nightly/1", ["champion"], 0.5)
    assert "coverage/pairs" not in rows[2].scores
    assert lines[2]["name"] == "'=run 0"
    assert lines[2]["loss/held_out"] == "3.21"
    assert any(line.split()[0] == ids[0][:8] and "champion" in line for line in table.stdout.splitlines())
    assert "\x1b" not in table.stdout
    assert called("runs", "--json", "--csv", "--workspace", workspace).returncode == 2


def test_scores_on_other_windows_are_marked(tmp_path: Path, database: Path) -> None:
    """Of three runs two have the same held-out windows: letters say which; with one kind there are no letters."""
    shutil.copy(database, tmp_path / "mlflow.db")
    config = Config(name="nightly", ingestion=Ingestion(source="x"), runtime=Runtime(workspace=str(tmp_path)))
    tables = []
    for number, windows in enumerate(["old", "old", "new"]):
        run = Run(address.uri(config), start_run(config, f"flow {number}", f"run {number}"))
        run.metrics({"loss/held_out": 3 + number / 8, "similarity/pairs": 0.5}, 0)
        run.inputs([Input(Dataset("held-out", windows, "local", "{}"), "evaluation")])
        tables.append(called("runs", "--workspace", tmp_path).stdout)
    rows = json.loads(called("runs", "--json", "--workspace", tmp_path).stdout)

    assert [row["measured_on"] for row in rows] == [{"loss/held_out": each} for each in ("new", "old", "old")]
    assert "same letter" not in tables[1]
    for loss in ("3.25 a", "3.125 b", "3 b"):
        assert f" {loss} " in tables[2]
    assert "same letter were measured on the same windows or set" in tables[2]


def test_a_run_is_told(ids: list[str], workspace: Path) -> None:
    """By its first characters or as champion: scores with their intervals, settings, how to continue what failed."""
    told = called("show", "champion", "--workspace", workspace)
    score = ["similarity/pairs", "0.5", "0.400", "…", "0.600", "90%"]
    data = RunDetails(**json.loads(called("show", ids[1][:8], "--json", "--workspace", workspace).stdout))

    assert "nightly/1 champion" in told.stdout
    assert any(line.split() == score for line in told.stdout.splitlines())
    assert (data.state, data.parameters["seed"]) == ("failed", "1")
    assert "resumes this run" in data.resume
    assert called("show", "abcdef99", "--workspace", workspace).returncode == 1


def test_the_log_is_that_of_the_flow_run(ids: list[str], workspace: Path, prefect_database: Path) -> None:
    """It is read from the workspace's database without starting a server; by default that of the newest run."""
    home = workspace / "prefect"
    home.mkdir(exist_ok=True)
    shutil.copy(prefect_database, home / "prefect.db")
    lines = [(40, "second\x1b[2J", "2026-01-01 00:00:02"), (20, "first", "2026-01-01 00:00:01")]
    with closing(sqlite3.connect(home / "prefect.db")) as log:
        for level, text, when in lines:
            row = ("w2v", level, "00000000-0000-4000-8000-000000000002", text, f"{when}.000000")
            log.execute("INSERT INTO log (name, level, flow_run_id, message, timestamp) VALUES (?, ?, ?, ?, ?)", row)
        log.commit()
    told = called("logs", "--workspace", workspace, PREFECT_HOME=str(home))
    empty = called("logs", ids[0], "--workspace", workspace, PREFECT_HOME=str(home))

    assert [line[21:] for line in told.stdout.splitlines()] == ["first", r"ERROR second\x1b[2J"]
    assert (empty.returncode, empty.stdout) == (1, "")
    assert f"there is no log of run {ids[0]}" in empty.stderr


def test_no_server_opens_no_page(ids: list[str], workspace: Path) -> None:
    """Without a server there is nothing to open, and the way to one is named."""
    done = called("open", ids[0], "--workspace", workspace)

    assert done.returncode == 1
    assert "`w2v up` starts them, `w2v ui` MLflow's alone" in done.stderr


def test_what_is_opened_has_no_key(
    ids: list[str], workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key is in the printed link alone: other accounts see the browser's command line."""
    place = SimpleNamespace(state="up", link=lambda state, server, page: f"{page}?w2v=secret")
    opened: list[str] = []
    monkeypatch.setattr(found, "Place", lambda workspace: place)
    monkeypatch.setattr(found, "_pages", lambda run: {"mlflow": "http://127.0.0.1:5000/run"})
    monkeypatch.setattr(found, "_has_browser", lambda: True)
    monkeypatch.setattr(found.sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(found.webbrowser, "open", opened.append)
    found.open_run(workspace, ids[0])

    assert opened == ["http://127.0.0.1:5000/run"]
    assert "http://127.0.0.1:5000/run?w2v=secret" in capsys.readouterr().out


def test_a_plan_answers_in_json(corpus: Path, tmp_path: Path) -> None:
    """The shape has each stage, and nothing else is printed to standard output."""
    done = called("plan", "--set", f"ingestion.source={corpus}", "--workspace", tmp_path, "--json")
    plan = Plan(**json.loads(done.stdout))

    assert plan.stages[0].stage == "ingestion"
    assert not plan.nothing_to_do


def test_decisions_find_their_model(ids: list[str], workspace: Path) -> None:
    """The only model with an alias is meant; a version of another model is refused, with the way on."""
    uri = address.workspace_uri(workspace)
    history = History(**json.loads(called("history", "--json", "--workspace", workspace).stdout))

    assert (history.model, history.champion and history.champion.run) == ("nightly", ids[0])
    assert named(uri, "", "challenger") == ("nightly", "challenger")
    assert named(uri, "", "other/1") == named(uri, "", ids[2][:8]) == ("other", "1")
    assert named(uri, "", "other@champion") == ("other", "champion")
    for version in ("other/1", ids[2]):
        with pytest.raises(InputError, match=r"champion of 'nightly'\n(.|\n)*promote 1 --model other"):
            named(uri, "nightly", version)
    with pytest.raises(InputError, match="has no version of a model"):
        named(uri, "", ids[1])


def test_status_answers_in_json_while_nothing_is_up(workspace: Path) -> None:
    """The shape is the same whether the service is up or not; the exit code is 1."""
    done = called("status", "--json", "--workspace", workspace)

    assert (done.returncode, Status(**json.loads(done.stdout)).up) == (1, False)


def completed(line: str, workspace: Path) -> list[str]:
    """Return what bash is offered for the last word of the line."""
    about = {"_W2V_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    environment = os.environ | about | {"W2V_WORKSPACE": str(workspace)}
    done = subprocess.run([W2V], env=environment, capture_output=True, text=True, check=True)

    assert done.stderr == ""
    return done.stdout.split()


def test_words_of_a_command_line_are_completed(ids: list[str], workspace: Path) -> None:
    """Commands, keys of --set and runs; where there is nothing to complete, silence."""
    assert completed("w2v nei", workspace) == ["neighbors"]
    assert completed("w2v retrain --set training.epo", workspace) == ["training.epochs="]
    assert completed(f"w2v show {ids[1][:4]}", workspace) == [ids[1][:8]]
    assert "nightly@champion" in completed("w2v show ", workspace)
    assert completed("w2v history --model o", workspace) == ["other"]
    assert completed("w2v neighbors riv", workspace) == []  # nothing was trained here
