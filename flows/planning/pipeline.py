"""Define the stages and their order once: `retrain` runs them, `plan` looks them up."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from configs.schema import Config
from tasks.engine.stage import Stage
from tasks.engine.store import Dataset, Manifest
from tasks.evaluation.stage import evaluation
from tasks.ingestion.stage import ingestion
from tasks.phrases.stage import join, phrases
from tasks.tokenization import tokenization
from tasks.training.stage import training
from tasks.vocabulary import vocabulary
from tasks.windows import windows


class Corpus(NamedTuple):
    documents: Dataset
    tokens: Dataset
    vocabulary: Dataset


class Trained(NamedTuple):
    documents: Dataset
    tokens: Dataset
    vocabulary: Dataset
    held_out: Dataset
    draws: list[Dataset]
    vectors: Dataset
    phrases: Dataset | None = None  # if phrases.passes is set


class Outputs(NamedTuple):
    trained: Trained
    evaluation: Dataset

    @property
    def named(self) -> dict[str, Manifest]:
        """Return the manifests that describe a result, by their names in a run."""
        told = {"tokens": self.trained.tokens, "vocabulary": self.trained.vocabulary, "vectors": self.trained.vectors}
        told |= {"phrases": self.trained.phrases} if self.trained.phrases else {}
        return {name: dataset.manifest for name, dataset in (told | {"evaluation": self.evaluation}).items()}


class Retrained(NamedTuple):
    """The result of a retraining: its MLflow run, and its datasets."""

    run_id: str  # "" while the result waits for MLflow: see outbox.py
    outputs: Outputs


class Do(Protocol):
    """What to do with each stage: run it as a task, compute it directly, or only look it up."""

    def __call__(self, stage: Stage, **arguments: object) -> Dataset: ...


Look = Callable[[Corpus], None]  # called with the corpus before the training


def pipeline(config: Config, do: Do, look: Look = lambda corpus: None) -> Outputs:
    """text → documents → tokens → vocabulary → windows → vectors → evaluation"""
    trained = through_training(config, do, look)
    scores = do(
        evaluation,
        vectors=trained.vectors,
        held_out=trained.held_out,
        config=config.evaluation,
        tokenization=config.tokenization,
        training=config.training,
        window=config.windows.window,
        seed=config.seed,
    )
    return Outputs(trained, scores)


def through_training(config: Config, do: Do, look: Look = lambda corpus: None) -> Trained:
    """text → documents → tokens → vocabulary → windows → vectors"""
    documents = do(ingestion, config=config.ingestion)
    tokens = do(tokenization, documents=documents, config=config.tokenization)
    found = None
    if config.phrases.passes:
        text = {"tokens": tokens, "config": config.phrases, "tokenization": config.tokenization}
        found = do(phrases, **text)
        tokens = do(join, **text, phrases=found)
    words = do(vocabulary, tokens=tokens, config=config.vocabulary, tokenization=config.tokenization)
    look(Corpus(documents, tokens, words))
    corpus = {"tokens": tokens, "vocabulary": words, "config": config.windows, "seed": config.seed}
    held_out = do(windows, **corpus, epoch=None)
    draws = [do(windows, **corpus, epoch=epoch) for epoch in range(config.training.epochs)]
    vectors = do(
        training,
        vocabulary=words,
        draws=draws,
        held_out=held_out,
        config=config.training,
        tokenization=config.tokenization,
        window=config.windows.window,
        seed=config.seed,
    )
    return Trained(documents, tokens, words, held_out, draws, vectors, found)
