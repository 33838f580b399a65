"""The code blocks of docs/how-to/notebook.md run, and the frames agree with MLflow and the vectors."""

from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from mlflow import MlflowClient
from nbclient import NotebookClient
from prefect.settings import PREFECT_API_URL

from configs.schema import Config
from configs.writing import toml
from flows import notebook as functions
from flows.query import frames, vectors
from flows.retrain import retrain
from tasks.engine import scratch
from tasks.errors import InputError, TrackingError
from tasks.tracking import address
from tests.support.pages import blocks
from tests.support.paths import PROJECT

PAGE = PROJECT / "docs" / "how-to" / "notebook.md"
pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """Return the variables of the notebook."""
    return {}


@pytest.fixture
def notebook(config: Config, said: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run each block in turn, in a folder whose `workspace` already has a run."""
    if not said:
        short = config.training.model_copy(update={"epochs": 1})
        config = config.model_copy(update={"training": short, "seed": 31})
        retrain(config)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "workspace").symlink_to(config.runtime.workspace)
        (tmp_path / "own.toml").write_text(toml(config, "the same"))
        monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
        monkeypatch.setattr(scratch, "settle", lambda workspace: None)  # it would last as long as the tests
        monkeypatch.setattr(functions, "_quiet", lambda: None)
        for block in blocks(PAGE, "python"):
            exec(compile(block, str(PAGE), "exec"), said)
    return said


def test_the_page_runs(notebook: dict[str, Any]) -> None:
    """The best run has the lowest J(θ); a retraining with its settings has nothing to do."""
    done = notebook["done"]

    assert done.loc[notebook["best"], "loss/held_out"] == done["loss/held_out"].min()
    assert notebook["again"].run_id == notebook["done"].query("seed == 31").index[0]
    assert notebook["near"].index.names == ["word", "rank"]
    assert notebook["planned"]["reused"].all()


@pytest.mark.long
def test_a_kernel_runs_the_notebook(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page as a notebook, in a kernel of its own: every cell ends, and shows a table or a text."""
    retrain(config.model_copy(update={"seed": 31}))
    (tmp_path / "workspace").symlink_to(config.runtime.workspace)
    (tmp_path / "own.toml").write_text(toml(config, "the same"))
    monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
    book = nbformat.read(PROJECT / "docs" / "reference" / "notebook.ipynb", as_version=4)
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    shown = ["".join(out.get("text", "") + str(out.get("data", "")) for out in cell.outputs) for cell in cells]

    assert all(cell.execution_count for cell in cells)
    assert sum("text/html" in each for each in shown) >= 5
    assert "seaa" in str(shown)
    assert "worse ones not to the end" in shown[-1]


def test_runs_are_those_of_mlflow(config: Config, notebook: dict[str, Any]) -> None:
    """Each run has its row, numbers are numeric, and values that a run lacks are missing."""
    frame = frames.runs(config.runtime.workspace)
    records = {run.info.run_id: run for run in MlflowClient(address.uri(config)).search_runs(["1"])}
    run = records[notebook["again"].run_id]

    assert set(frame.index) == set(records)
    assert frame.loc[run.info.run_id, "training.epochs"] == 1
    assert frame.loc[run.info.run_id, "training.learning_rate"] == 0.025
    assert frame.loc[run.info.run_id, "loss/held_out"] == run.data.metrics["loss/held_out"]
    assert frame.loc[run.info.run_id, "training.objective"] == "negative_sampling"
    assert frame.loc[run.info.run_id, "held_out"] in {each.dataset.digest for each in run.inputs.dataset_inputs}
    assert isinstance(frame["started"].dtype, pd.DatetimeTZDtype)


def test_scores_are_those_that_judge(config: Config, notebook: dict[str, Any]) -> None:
    """J(θ) is a score; its mean over pairs, the training loss and the speed are not."""
    run = notebook["again"].run_id
    frame = frames.scores(run, config.runtime.workspace)

    assert list(frame.index) == [(run, "loss/held_out")]
    assert frame["value"].iloc[0] == notebook["runs"].loc[run, "loss/held_out"]
    assert frame["measured_on"].iloc[0] == notebook["runs"].loc[run, "held_out"]


def test_neighbors_are_those_of_the_command(config: Config, notebook: dict[str, Any]) -> None:
    """The words, their order and their cosines are the same; ranks begin at 1."""
    run = notebook["again"].run_id
    expected = vectors.neighbors(vectors.space(Path(config.runtime.workspace), run), ["seaa"], 3)["seaa"]
    frame = frames.neighbors("seaa", 3, run, config.runtime.workspace)

    assert list(zip(frame["neighbor"], frame["cosine"], strict=True)) == expected
    assert list(frame.index) == [("seaa", 1), ("seaa", 2), ("seaa", 3)]


def test_what_is_unknown_is_said(config: Config, notebook: dict[str, Any], tmp_path: Path) -> None:
    """An unknown word, an unknown run and a folder without runs are errors."""
    with pytest.raises(InputError, match="did you mean sea"):
        frames.neighbors("seaaa", workspace=config.runtime.workspace)
    with pytest.raises(TrackingError, match="there is no run nobody"):
        frames.scores("nobody", config.runtime.workspace)
    with pytest.raises(TrackingError, match="no runs yet"):
        frames.runs(tmp_path)
