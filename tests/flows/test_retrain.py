"""The whole flow, on a real Prefect server and a real MLflow database."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from configs.loading import ConfigError
from configs.schema import Config, Promotion, Runtime
from flows.cli.output.shapes import Comparison
from flows.planning.pipeline import Retrained
from flows.planning.plan import plan
from flows.query import vectors
from flows.retrain import retrain
from tasks.engine.store import LATEST
from tasks.tracking import address, registry
from tests.support.commands import called

W2V = Path(sys.executable).parent / "w2v"
pytestmark = pytest.mark.usefixtures("prefect_server")
STAGES = ["ingestion", "tokenization", "vocabulary", "windows-held-out", "windows-000", "windows-001", "windows-002"]


def changed(config: Config, **training: Any) -> Config:
    return config.model_copy(update={"training": config.training.model_copy(update=training)})


def mlflow_run(config: Config, run_id: str) -> Any:
    return MlflowClient(address.uri(config)).get_run(run_id)


def states(run_id: str, config: Config) -> dict[str, str]:
    """Return the Prefect states of the task runs that made this MLflow run."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    flow_run = mlflow_run(config, run_id).data.tags["prefect.flow_run_id"]
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run])))
    return {run.name: run.state.name for run in runs}


@pytest.fixture(scope="module")
def done() -> dict[str, Retrained]:
    """The result of the first retraining, for the following tests."""
    return {}


@pytest.fixture
def first(config: Config, done: dict[str, Retrained]) -> Retrained:
    if "first" not in done:
        assert not plan(config).nothing_to_do
        done["first"] = retrain(config)
    return done["first"]


def test_one_run_is_complete(config: Config, first: Retrained) -> None:
    """One FINISHED MLflow run has parameters, inputs, curves, scores, files and a registered model."""
    run = mlflow_run(config, first.run_id)
    client = MlflowClient(address.uri(config))
    files = {
        file.path
        for folder in ("", "vectors", "figures", "scores")
        for file in client.list_artifacts(first.run_id, folder)
    }

    assert run.info.status == "FINISHED"
    assert run.data.params["training.vector_size"] == "8"
    assert {item.dataset.name for item in run.inputs.dataset_inputs} >= {"documents", "tokens", "vocabulary", "windows"}
    assert {"loss/training", "loss/held_out", "training/learning_rate", "speed/words_per_second"} <= set(
        run.data.metrics
    )
    assert {"vectors/vectors.npy", "vectors/vectors.bin", "figures/words.png", "figures/loss.png"} <= files
    assert {"config.json", "environment.json", "report.md", "scores/evaluation.parquet"} <= files
    assert client.get_registered_model("vectors").latest_versions[0].tags["run"] == first.run_id


def test_it_is_decided_who_is_champion(config: Config, first: Retrained) -> None:
    """The flow ends with a decision about its version, as a task and an artifact in Prefect."""
    model = registry.model(address.uri(config), "vectors")
    flow_run = mlflow_run(config, first.run_id).data.tags["prefect.flow_run_id"]
    with get_client(sync_client=True) as client:
        pages = [each for each in client.read_artifacts() if str(each.flow_run_id) == flow_run]

    assert len(model.of_run(first.run_id).decisions) == 1
    assert model.champion
    assert states(first.run_id, config)["promotion"] == "Completed"
    assert any(page.key == "promotion" for page in pages)


def test_the_two_runs_know_each_other(config: Config, first: Retrained) -> None:
    """The MLflow run names the Prefect flow run, which names and links it, with a table and a report."""
    flow_run = mlflow_run(config, first.run_id).data.tags["prefect.flow_run_id"]
    with get_client(sync_client=True) as client:
        labels = client.read_flow_run(flow_run).labels
        keys = {artifact.key for artifact in client.read_artifacts() if str(artifact.flow_run_id) == flow_run}

    assert labels["mlflow.run_id"] == first.run_id
    assert {"mlflow-run", "scores", "report"} <= keys


def test_the_same_again_is_nothing_to_do(config: Config, first: Retrained) -> None:
    """The second time, every stage is in the store, the first run is named, and no run is made."""
    client = MlflowClient(address.uri(config))
    before = len(client.search_runs(["1"]))

    assert plan(config).nothing_to_do
    assert retrain(config) == first
    assert len(client.search_runs(["1"])) == before


def test_a_store_that_is_gone_is_made_again_for_the_same_run(config: Config, first: Retrained) -> None:
    """The store is rebuilt with the same bits; the run stays as it is, without a new version."""
    client = MlflowClient(address.uri(config))
    before = client.get_run(first.run_id).to_dictionary(), len(client.search_runs(["1"]))
    shutil.rmtree(Path(config.runtime.workspace) / "store")

    assert retrain(config) == first
    assert plan(config).nothing_to_do
    assert (client.get_run(first.run_id).to_dictionary(), len(client.search_runs(["1"]))) == before
    assert len(client.search_model_versions("name = 'vectors'")) == 1


@pytest.mark.parametrize("stage", ["training", "ingestion"])
def test_an_output_that_is_gone_is_made_again_for_the_same_run(stage: str, config: Config, first: Retrained) -> None:
    """If MLflow has lost the version too, the result is still one FINISHED run with one version."""
    client = MlflowClient(address.uri(config))
    before = {run.info.run_id for run in client.search_runs(["1"])}
    shutil.rmtree(Path(config.runtime.workspace) / "store" / stage)
    (version,) = client.search_model_versions("name = 'vectors'")
    client.delete_model_version("vectors", version.version)

    assert retrain(config) == first
    assert {run.info.run_id for run in client.search_runs(["1"])} == before
    assert client.get_run(first.run_id).info.status == "FINISHED"
    assert len(client.search_model_versions("name = 'vectors'")) == 1


def test_the_same_twice_at_once_is_one_run(config: Config, own: Path) -> None:
    """One process makes the run; the other waits for it, says so, and reuses it."""
    values = config.model_copy(update={"runtime": Runtime(workspace=str(own)), "seed": 5}).model_dump(mode="json")
    code = "import json, sys; from flows.servers.settings import quiet; quiet(); from flows.retrain import retrain\n"
    code += "from configs.schema import Config; print(retrain(Config.model_validate(json.loads(sys.argv[1]))).run_id)"
    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, json.dumps(values)], env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=900) for process in both]
    (run,) = MlflowClient(f"sqlite:///{own}/mlflow.db").search_runs(["1"])

    assert [process.returncode for process in both] == [0, 0], said
    assert [out.strip() for out, _ in said] == [run.info.run_id] * 2
    assert sum("already holds this result" in error for _, error in said) == 1
    assert run.info.status == "FINISHED"
    assert len(MlflowClient(f"sqlite:///{own}/mlflow.db").search_model_versions("name = 'vectors'")) == 1


def test_the_folder_of_the_workspace_can_be_the_source(
    config: Config, own: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ingestion.source=.` is the user's text, not what a retraining writes there: the second time nothing is to do."""
    shutil.copy(corpus, own.parent)
    monkeypatch.chdir(own.parent)
    source = config.ingestion.model_copy(update={"source": "."})
    runtime = config.runtime.model_copy(update={"workspace": own.name})
    here = config.model_copy(update={"ingestion": source, "runtime": runtime})
    retrain(here)

    assert plan(here).nothing_to_do


def test_nothing_to_do_is_said_without_a_server(config: Config, first: Retrained, tmp_path: Path) -> None:
    """The command names reused stages and the run, makes nothing in Prefect's home, and does not import Prefect."""
    sections = config.model_dump(mode="json", exclude_none=True)
    name = sections.pop("name")
    values = [f"{section}.{key}={json.dumps(value)}" for section, each in sections.items() if isinstance(each, dict)
              for key, value in each.items()]  # fmt: skip
    environment = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    answer = subprocess.run(
        [W2V, "retrain", *(word for value in [f"name={name}", *values] for word in ("--set", value))],
        env=environment | {"PREFECT_HOME": str(tmp_path / "prefect"), "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True, text=True,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stderr
    assert not re.search(r"^import time: .*\| +(prefect|matplotlib|scipy\.stats)$", answer.stderr, re.MULTILINE)
    assert answer.stderr.count("(reused)") == len(STAGES) + 2 - 2  # the three draws have one line together
    assert "windows in 3 draws" in answer.stderr
    assert f"nothing to do: run {first.run_id} already holds this result" in answer.stderr
    assert f"MLflow run   {first.run_id}" in answer.stdout
    assert (
        "These vectors were not evaluated on any word set, so no later version can replace the champion"
        in answer.stdout
    )
    assert not list((tmp_path / "prefect").iterdir())


def test_the_run_named_is_the_last_again(config: Config, first: Retrained, workspace: Path) -> None:
    """A reused result becomes that of `w2v neighbors` again after another retraining."""
    retrain(changed(config, learning_rate=0.05))
    retrain(config)

    assert json.loads((workspace / LATEST).read_text())["key"] == first.outputs.trained.vectors.key


def test_a_changed_rate_runs_training_and_what_follows(config: Config, first: Retrained) -> None:
    """In Prefect all stages before the training are Cached; training and evaluation run."""
    second = retrain(changed(config, learning_rate=0.05))
    found = states(second.run_id, config)

    assert second.run_id != first.run_id
    assert {name: found[name] for name in STAGES} == dict.fromkeys(STAGES, "Cached")
    assert (found["training"], found["evaluation"]) == ("Completed", "Completed")


def test_a_comparison_is_on_prefects_page(
    config: Config, first: Retrained, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a permanent server the page shows runs, scores and a link to the comparison in MLflow; `--json` tells them."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.settings import PREFECT_API_URL

    second = retrain(changed(config, learning_rate=0.05))
    monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
    answer = called("compare", first.run_id[:8], second.run_id, "--json", "--workspace", workspace)
    told = Comparison(**json.loads(answer.stdout))
    with get_client(sync_client=True) as client:
        (found,) = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["comparison"])))

    assert [each.run for each in told.runs] == [first.run_id, second.run_id]
    assert told.parameters["training.learning_rate"] == ["0.025", "0.05"]
    assert all(set(score.runs) == {first.run_id, second.run_id} for score in told.scores)
    assert [each.run for each in told.spaces] == [second.run_id]
    assert f"runs/{first.run_id}/artifacts/comparisons/{Path(told.page).name}?" in found.data
    assert f"- B: {mlflow_run(config, second.run_id).info.run_name}, run `{second.run_id}`" in found.data
    assert r"| loss/held\_out |" in found.data  # no sign of a name is Markdown


def test_a_vanished_output_is_made_anew(config: Config, first: Retrained) -> None:
    """A stage with a missing file runs again, whatever Prefect has cached, with the same result."""
    first.outputs.trained.tokens.files()[0].unlink()

    assert not plan(config).nothing_to_do
    assert retrain(config).outputs.evaluation.digest == first.outputs.evaluation.digest


def test_the_flow_looks_ahead_itself(config: Config, first: Retrained) -> None:
    """Started by a worker, without a command's checks, the flow finds errors before it makes a run."""
    before = len(MlflowClient(address.uri(config)).search_runs(["1"]))
    with pytest.raises(ConfigError, match=r"promotion\.gates: similarity/none"):
        retrain(config.model_copy(update={"promotion": Promotion(gates=["similarity/none"]), "seed": 99}))

    assert len(MlflowClient(address.uri(config)).search_runs(["1"])) == before


def test_failed_work_ends_the_run_as_failed(config: Config, first: Retrained) -> None:
    """A training that diverges leaves a FAILED run, and none RUNNING."""
    with pytest.raises(Exception, match="training diverged"):
        retrain(changed(config, learning_rate=1e30, min_learning_rate=1e-4, damping=1e30))
    found = [run.info.status for run in MlflowClient(address.uri(config)).search_runs(["1"])]

    assert found[0] == "FAILED"
    assert "RUNNING" not in found


def test_the_last_vectors_answer(workspace: Path, first: Retrained) -> None:
    """Neighbours of a topic's word are words of its topic, from the workspace and from the run."""
    for run in (None, first.run_id):
        (near,) = vectors.neighbors(vectors.space(workspace, run), ["seaa"], 5).values()

        assert all(word.startswith("sea") for word, _ in near)


def test_a_form_can_be_made_of_the_config() -> None:
    """Prefect's page knows the flow's parameter and its sections."""
    schema = retrain.parameters.model_dump()

    assert schema["required"] == ["config"]
    assert "Training" in schema["definitions"]
