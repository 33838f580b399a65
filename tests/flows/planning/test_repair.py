"""Repair of finished runs: what MLflow has lost is published again."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mlflow import MlflowClient

from configs.schema import Config, Evaluation, Ingestion, Runtime
from flows.planning.pipeline import Outputs, Trained
from flows.planning.repair import mend
from flows.query import vectors
from tasks.engine.stage import Context
from tasks.maintenance import integrity
from tasks.promotion.task import promotion
from tasks.publication import publish
from tasks.tracking import address, registry
from tasks.tracking.run import Run
from tasks.tracking.session import Tracker
from tests.support.runs import start_run
from tests.support.trained import finished_stages

WORDS = [f"{name}{number}" for number in range(20) for name in ("alpha", "beta", "gamma")]
TABLE = np.tile(np.eye(8)[:3], (20, 1)) + 0.2 * np.random.default_rng(0).normal(size=(60, 8))


class Finished(NamedTuple):
    config: Config
    outputs: Outputs
    run_id: str
    uri: str
    client: MlflowClient

    @property
    def files(self) -> Path:
        return Path(self.client.get_run(self.run_id).info.artifact_uri.removeprefix("file://"))

    @property
    def model(self) -> Any:
        return self.client.search_logged_models(["1"], f"source_run_id = '{self.run_id}' AND name = 'word-vectors'")[0]

    @property
    def model_files(self) -> Path:
        return Path(self.model.artifact_location.removeprefix("file://"))

    @property
    def gone(self) -> list[str]:
        return integrity.gone(Run(self.uri, self.run_id), "vectors")


@pytest.fixture(scope="module")
def finished(workspace: Path) -> Finished:
    config = Config(
        name="vectors",
        ingestion=Ingestion(source="text.txt"),
        evaluation=Evaluation(bootstrap=10),
        runtime=Runtime(workspace=str(workspace)),
    )
    uri = address.uri(config)
    run_id = start_run(config, "flow 1")
    context = Context(runtime=config.runtime, tracking_uri=uri, run_id=run_id)
    stages = finished_stages(config, context, WORDS, TABLE, earlier=TABLE)
    publish.fn(config=config, **stages, context=context)
    promotion.fn(config=config, context=context)
    outputs = Outputs(Trained(**{name: stages.get(name) for name in Trained._fields}), stages["evaluation"])
    return Finished(config, outputs, run_id, uri, MlflowClient(uri))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize(
    ("lose", "gone"),
    [
        (lambda it: it.client.delete_model_version("vectors", next(iter(versions(it)))), "the version of 'vectors'"),
        (lambda it: it.client.delete_registered_model("vectors"), "the version of 'vectors'"),
        (lambda it: (it.files / "scores" / "evaluation.parquet").unlink(), "scores/evaluation.parquet"),
        (lambda it: cut(it.files / "vectors" / "vectors.npy"), "vectors/vectors.npy"),
        (lambda it: shutil.rmtree(it.files), "reproducibility.json"),
        (lambda it: cut(it.files / "reproducibility.json"), "reproducibility.json"),
        (lambda it: cut(it.model_files / "artifacts" / "vectors.npy"), "the model"),
        (lambda it: (it.model_files / "MLmodel").unlink(), "the model"),
        (lambda it: shutil.rmtree(it.model_files), "the model"),
        (lambda it: it.client.delete_logged_model(it.model.model_id), "the model"),
    ],
    ids=[
        "version", "registered model", "file", "cut file", "all files", "certificate", "cut model", "MLmodel",
        "model files", "model",
    ],
)  # fmt: skip
def test_what_is_lost_comes_back(
    lose: Callable[[Finished], None], gone: str, finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    """Each kind of loss is found by name and size and repaired in the same run; the champion works again."""
    assert finished.gone == []
    lose(finished)
    assert gone in finished.gone
    with caplog.at_level(logging.WARNING, "w2v"):
        mend(
            finished.config,
            Tracker(finished.config),
            finished.outputs,
            finished.run_id,
        )

    assert f"run {finished.run_id} lacks {gone}" in caplog.text
    assert finished.gone == []
    assert len(finished.client.search_runs(["1"])) == 1
    assert finished.client.get_run(finished.run_id).info.run_id == finished.run_id
    champion = registry.model(finished.uri, "vectors").champion
    assert champion is not None
    assert vectors.of_run(finished.uri, champion.run_id, registered=True).words == WORDS
    source = finished.client.get_model_version("vectors", champion.number).source
    assert (Path(source.removeprefix("file://")) / "artifacts" / "vectors.npy").exists() or gone == "the model"


def test_nothing_is_done_where_all_is_there(finished: Finished, caplog: pytest.LogCaptureFixture) -> None:
    """For a complete run no file is written and no version made."""
    before = {path: path.stat().st_mtime_ns for path in finished.files.rglob("*")}, versions(finished)
    with caplog.at_level(logging.WARNING, "w2v"):
        mend(
            finished.config,
            Tracker(finished.config),
            finished.outputs,
            finished.run_id,
        )

    assert not caplog.records
    assert ({path: path.stat().st_mtime_ns for path in finished.files.rglob("*")}, versions(finished)) == before


def versions(finished: Finished) -> list[str]:
    return list(registry.model(finished.uri, "vectors").versions)
