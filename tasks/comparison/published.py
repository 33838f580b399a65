"""Load from MLflow what a comparison needs of a finished run; the store is not read."""

from typing import NamedTuple

import pyarrow as pa
from pydantic import ValidationError

from tasks.datasets import contracts
from tasks.engine.facts import EvaluationFacts, recorded
from tasks.engine.store import Manifest
from tasks.errors import ContractError, TrackingError
from tasks.tracking.client import reached
from tasks.tracking.contents.vectors import vectors_of
from tasks.tracking.names import LOSS, MANIFESTS, SCORES, TRAINING_LOSS
from tasks.tracking.run import Run, known_run
from tasks.vectors.tables import WordVectors

CURVES = {TRAINING_LOSS: "training loss per pair", LOSS: "J(θ) on held-out windows"}


class MetricCurve(NamedTuple):
    """A metric over the number of words read."""

    words: list[int]
    values: list[float]


class Published(NamedTuple):
    """A finished run as MLflow has it."""

    uri: str
    id: str
    name: str
    started: int  # ms since 1970
    documents: str  # digest of its training documents
    parameters: dict[str, str]
    curves: dict[str, MetricCurve]
    items: pa.Table
    judged: Manifest  # manifest of the evaluation
    vectors: WordVectors

    @property
    def facts(self) -> EvaluationFacts:
        return recorded(EvaluationFacts, self.judged)

    @property
    def metrics(self) -> dict[str, float]:
        return self.facts["metrics"]


def load(uri: str, run_id: str) -> Published:
    """Load a finished run. Raises TrackingError if it is unknown, unfinished or of another version."""
    with reached(uri) as client:
        run = known_run(client, uri, run_id)
    try:
        with reached(uri) as client:
            history = {metric: client.get_metric_history(run_id, metric) for metric in CURVES}
        with Run(uri, run_id).fetched(SCORES) as scores:
            items = contracts.read(scores / "evaluation.parquet", contracts.EVALUATION)
        with Run(uri, run_id).fetched(MANIFESTS) as manifests:
            judged, documents = (
                Manifest.model_validate_json((manifests / f"{name}.json").read_bytes())
                for name in ("evaluation", "documents")
            )
    except (ContractError, TrackingError, ValidationError, OSError) as error:
        lines = str(error).splitlines()
        raise TrackingError(
            f"run {run_id} cannot be compared\n"
            f"expected  {SCORES}/evaluation.parquet of contract {contracts.EVALUATION.id}, {MANIFESTS}/*.json\n"
            f"found     {': '.join(lines[:2]) if isinstance(error, TrackingError) else lines[0]}\n"
            "Name a finished retraining; repeat one of an older version with `w2v retrain`."
        ) from error
    return Published(
        uri=uri,
        id=run_id,
        name=run.info.run_name,
        started=run.info.start_time,
        documents=documents.digest,
        parameters=run.data.params,
        curves={
            metric: MetricCurve([p.step for p in points], [p.value for p in points])
            for metric, points in history.items()
        },
        items=items,
        judged=judged,
        vectors=vectors_of(Run(uri, run_id)),
    )
