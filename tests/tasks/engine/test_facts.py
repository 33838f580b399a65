"""Facts: what the stages record is what the types say."""

from pathlib import Path
from typing import Any

import pytest

from configs.schema import Config, Evaluation, Ingestion, Runtime, Training, Vocabulary, Windows
from flows.planning.pipeline import Outputs, pipeline
from tasks.engine.facts import (
    BatchFacts,
    DocumentsFacts,
    EvaluationFacts,
    TokenPartFacts,
    TokensFacts,
    VectorsFacts,
    VocabularyFacts,
    WindowsFacts,
    recorded,
)
from tasks.engine.stage import Context
from tasks.engine.store import Dataset


@pytest.fixture(scope="module")
def outputs(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """Of a small training from lines of text, which keeps the vectors of its first epoch."""
    context = Context(runtime=Runtime(workspace=str(tmp_path_factory.mktemp("ws"))))
    config = Config(
        ingestion=Ingestion(source=str(corpus), text_documents="line"),
        vocabulary=Vocabulary(min_count=1, subsample=0.0),
        windows=Windows(held_out_fraction=0.05),
        training=Training(vector_size=4, epochs=2, keep_epochs=1, batch_size=512),
        evaluation=Evaluation(bootstrap=50),
    )

    def compute(stage: Any, **arguments: Any) -> Dataset:
        done: Dataset = stage.compute(context=context, **arguments)
        return done

    return pipeline(config, compute)


def test_each_stage_records_what_its_type_says(outputs: Outputs) -> None:
    """No required fact is missing, and none is unknown."""
    trained = outputs.trained
    kinds = {
        DocumentsFacts: [trained.documents], BatchFacts: trained.documents.parts, TokensFacts: [trained.tokens],
        TokenPartFacts: trained.tokens.parts, VocabularyFacts: [trained.vocabulary],
        WindowsFacts: [trained.held_out, *trained.draws], VectorsFacts: [trained.vectors],
        EvaluationFacts: [outputs.evaluation],
    }  # fmt: skip

    for kind, datasets in kinds.items():
        for dataset in datasets:
            found = recorded(kind, dataset).keys()
            assert kind.__required_keys__ <= found <= kind.__annotations__.keys(), kind
