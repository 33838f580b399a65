"""The stages in order, told once: `retrain` runs them, `plan` looks them up."""

from typing import NamedTuple, Protocol

from tasks.evaluation import evaluation
from tasks.ingestion import ingestion
from tasks.tokenization import tokenization
from tasks.training import training

from configs.schema import Config
from tasks._stage import Stage
from tasks._store import Dataset
from tasks.vocabulary import vocabulary
from tasks.windows import windows


class Outputs(NamedTuple):
    documents: Dataset
    tokens: Dataset
    vocabulary: Dataset
    held_out: Dataset
    draws: list[Dataset]
    vectors: Dataset
    evaluation: Dataset


class Do(Protocol):
    """What is done with each stage: run it as a task, compute it plainly, or only look it up."""

    def __call__(self, stage: Stage, **arguments: object) -> Dataset: ...


def pipeline(config: Config, do: Do) -> Outputs:
    """text → documents → tokens → vocabulary → windows → vectors → evaluation"""
    seed = config.seed
    documents = do(ingestion, config=config.ingestion)
    tokens = do(tokenization, documents=documents, config=config.tokenization)
    words = do(vocabulary, tokens=tokens, config=config.vocabulary)
    corpus = {"tokens": tokens, "vocabulary": words, "config": config.windows, "seed": seed}
    held_out = do(windows, **corpus, epoch=None)
    draws = [do(windows, **corpus, epoch=epoch) for epoch in range(config.training.epochs)]
    vectors = do(
        training,
        vocabulary=words,
        draws=draws,
        held_out=held_out,
        config=config.training,
        window=config.windows.window,
        seed=seed,
    )
    scores = do(
        evaluation,
        vectors=vectors,
        held_out=held_out,
        config=config.evaluation,
        architecture=config.training.architecture,
        objective=config.training.objective,
        seed=seed,
    )
    return Outputs(documents, tokens, words, held_out, draws, vectors, scores)
