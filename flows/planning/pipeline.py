"""Define the stages and their order once: `retrain` runs them, `plan` looks them up."""

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
from tasks.windows import largest, windows


class Corpus(NamedTuple):
    documents: Dataset
    tokens: Dataset
    vocabulary: Dataset
    phrases: Dataset | None = None  # if phrases.passes is set


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
        named = {"tokens": self.trained.tokens, "vocabulary": self.trained.vocabulary, "vectors": self.trained.vectors}
        named |= {"phrases": self.trained.phrases} if self.trained.phrases else {}
        return {name: dataset.manifest for name, dataset in (named | {"evaluation": self.evaluation}).items()}


class Retrained(NamedTuple):
    """The result of a retraining: its MLflow run, and its datasets."""

    run_id: str  # "" while the result waits for MLflow: see outbox.py
    outputs: Outputs


class Do(Protocol):
    """What to do with each stage: run it as a task, compute it directly, or only look it up."""

    def __call__(self, stage: Stage, **arguments: object) -> Dataset: ...


def pipeline(config: Config, do: Do) -> Outputs:
    """text → documents → tokens → vocabulary → windows → vectors → evaluation"""
    trained = learn(config, prepare(config, do), do)
    return Outputs(trained, judge(config, trained, do))


def prepare(config: Config, do: Do) -> Corpus:
    """text → documents → tokens → vocabulary"""
    documents = do(ingestion, config=config.ingestion)
    tokens = do(tokenization, documents=documents, config=config.tokenization)
    found = None
    if config.phrases.passes:
        text = {"tokens": tokens, "config": config.phrases, "tokenization": config.tokenization}
        found = do(phrases, **text)
        tokens = do(join, **text, phrases=found)
    words = do(vocabulary, tokens=tokens, config=config.vocabulary, tokenization=config.tokenization)
    return Corpus(documents, tokens, words, found)


def learn(config: Config, corpus: Corpus, do: Do) -> Trained:
    """vocabulary → windows → vectors"""
    text = {"tokens": corpus.tokens, "vocabulary": corpus.vocabulary, "config": config.windows, "seed": config.seed}
    held_out = do(windows, **text, epoch=None)
    draws = [do(windows, **text, epoch=epoch) for epoch in range(config.training.epochs)]
    vectors = do(
        training,
        vocabulary=corpus.vocabulary,
        draws=draws,
        held_out=held_out,
        config=config.training,
        tokenization=config.tokenization,
        window=largest(config.windows),
        seed=config.seed,
    )
    return Trained(*corpus[:3], held_out, draws, vectors, corpus.phrases)


def judge(config: Config, trained: Trained, do: Do) -> Dataset:
    """vectors → evaluation"""
    beside = {"drawn": trained.draws[0]} if config.tokenization.kind == "items" else {}
    return do(
        evaluation,
        vectors=trained.vectors,
        held_out=trained.held_out,
        config=config.evaluation,
        tokenization=config.tokenization,
        training=config.training,
        window=largest(config.windows),
        seed=config.seed,
        **beside,
    )
