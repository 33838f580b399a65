"""Everything a retraining has made → one complete MLflow run, and what Prefect's page says of it."""

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from configs.schema import Config
from tasks import _announcement, _contracts, _environment, _figures, _formats, _inputs, _registry, _report, _vectors
from tasks._runs import Run
from tasks._stage import Context
from tasks._store import Dataset
from tasks._tracking import RESULT, VECTORS, parameters
from tasks._vectors import Vectors

CURVES = {"loss": "loss/training", "held_out_loss": "loss/held_out", "learning_rate": "training/learning_rate"}


@task(name="publication", task_run_name="publication", cache_policy=NO_CACHE)
def publish(
    config: Config,
    documents: Dataset,
    tokens: Dataset,
    vocabulary: Dataset,
    draws: list[Dataset],
    held_out: Dataset,
    vectors: Dataset,
    evaluation: Dataset,
    context: Context,
) -> None:
    """Complete the run of `context`. Repeating it changes nothing; the tag by which a run is found comes last."""
    run = Run(context.tracking_uri, context.run_id)
    stages = {"documents": documents, "tokens": tokens, "vocabulary": vocabulary, "held-out": held_out}
    stages |= {f"windows-{epoch:03d}": draw for epoch, draw in enumerate(draws)}
    stages |= {"vectors": vectors, "evaluation": evaluation}
    manifests = {name: dataset.manifest for name, dataset in stages.items()}
    judged = manifests["evaluation"]
    page = _report.markdown(config, run.id, manifests)
    sets = judged.inputs["outside"]

    run.inputs([
        _inputs.dataset("documents", [documents], "tokenization"),
        _inputs.dataset("tokens", [tokens], "vocabulary"),
        _inputs.dataset("vocabulary", [vocabulary], "windows"),
        _inputs.dataset("windows", draws, "training"),
        _inputs.dataset("held-out", [held_out], "evaluation"),
        _inputs.dataset("vectors", [vectors], "evaluation"),
        *_inputs.evaluation_sets(config.evaluation.similarity + config.evaluation.analogies, sets),
    ])  # fmt: skip
    curve = _contracts.read(vectors.path / "curve.parquet", _contracts.CURVE)
    items = _contracts.read(evaluation.path / "evaluation.parquet", _contracts.EVALUATION)
    with TemporaryDirectory() as name:
        folder = Path(name)
        ...
