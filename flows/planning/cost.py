"""Estimate rows, disk, memory and time of each stage, from the size of the text and from measured rates.

The rates are rounded from runs on two cores with English text; the results are orders of magnitude.
"""

from pathlib import Path
from typing import NamedTuple

from configs.schema import Config
from flows.planning.plan import Plan
from flows.planning.words_ahead import Words
from tasks.engine.workers.choice import Choice, choice
from tasks.evaluation.datasets import judging_files
from tasks.ingestion.estimate import CorpusSize, Seen, look, stored
from tasks.training import workers
from tasks.vectors.tables import kept_epochs
from tasks.windows import largest

SENTENCE = 20  # words
BASE = 400e6  # bytes of memory: the interpreter and its libraries
SERVER = 15.0  # seconds until a temporary Prefect server answers
WORKER = 150e6  # bytes of memory: a process that learns replicas, without its table
NGRAMS = 5.0  # n-grams in a bucket of their own, for each word of a vocabulary of subwords
SUBWORDS = 2.5  # times as long as a training of whole words
MET = 2e9  # bytes of replicas' tables that one process combines in a second
PUBLICATION = 10.0  # seconds, mostly in MLflow's libraries
PART = 8e6  # characters of text in a part, about; many small files make parts of half that size


class Expected(NamedTuple):
    rows: float
    disk: float  # bytes
    memory: float  # bytes, at the peak
    seconds: float


def seen(config: Config, planned: Plan) -> Seen:
    """Return the size of the text: exact if it has been ingested, else estimated from its beginning.

    Raises InputError for a source that the ingestion could not read.
    """
    if planned.text_to_come:
        return look(config.ingestion, Path(config.runtime.workspace))
    return stored(planned.outputs.trained.documents)


def engine(config: Config, corpus: CorpusSize) -> Choice:
    """Return the engine that is expected to prepare the text."""
    return choice(config.runtime, max(1, round(corpus.characters / PART)))


def expect(config: Config, corpus: CorpusSize, found: Words) -> dict[str, Expected]:
    """Return the estimate of each stage as if nothing were reused; `found` has the counts of the whole text."""
    documents, text = corpus
    words, windows = found.words, found.windows
    vocabulary = min(config.vocabulary.max_size or found.vocabulary, found.vocabulary)
    training = config.training
    ngrams = min(training.buckets, NGRAMS * vocabulary) if training.max_n else 0.0
    tables = vocabulary * training.vector_size * 8 + ngrams * training.vector_size * 4
    slower = SUBWORDS if training.max_n else 1.0
    step, shared = _step(config, vocabulary), _replicas(config, tables)
    judged = len(kept_epochs(training)) + 1  # the final vectors, and the kept ones of earlier epochs
    sets = len(judging_files(config.evaluation))
    texts = words / SENTENCE if config.tokenization.sentences else documents
    held_out = config.windows.held_out_fraction * words
    return {
        "ingestion": Expected(documents, 0.4 * text, BASE, 0.1 + text / 20e6),
        "tokenization": Expected(texts, 0.25 * text, BASE + 200e6, 0.1 + words / 4e6),
        "phrases": Expected(0.1 * vocabulary, 5 * vocabulary, BASE + 200e6, 0.1 + config.phrases.passes * words / 2e6),
        "joined": Expected(texts, 0.25 * text, BASE + 200e6, 0.1 + words / 2e6),
        "vocabulary": Expected(vocabulary, 20 * vocabulary, BASE + 200e6, 0.1 + words / 10e6),
        "windows-held-out": Expected(held_out, 2 * held_out, BASE + 200e6, 0.1 + words / 8e6),
        "windows": Expected(windows, 2 * windows, BASE + 200e6, 0.1 + words / 8e6),
        "training": Expected(
            vocabulary,
            judged * tables + shared.disk,
            BASE + 3 * tables + step + shared.memory,
            1 + training.epochs * words / 1e6 * training.vector_size / 100 * slower / shared.speedup + shared.seconds,
        ),
        "evaluation": Expected(80 + 6e3 * sets, 1e4 + 3e5 * sets, BASE + 2 * tables, (1 + 5 * sets) * judged),
    }


class Shared(NamedTuple):
    """What replicas add to a training, and how much faster their workers are than the two threads of one model."""

    disk: float  # bytes
    memory: float  # bytes, of all workers
    speedup: float
    seconds: float  # of all meetings


def _replicas(config: Config, tables: float) -> Shared:
    replicas, processes = config.training.replicas, workers.number(config.training, config.runtime)
    if replicas == 1:
        return Shared(0.0, 0.0, 1.0, 0.0)
    return Shared(
        (replicas + 2) * tables,
        tables + (processes * (WORKER + tables) if processes > 1 else 0.0),
        max(1.0, processes / 2),
        config.training.meetings * replicas * tables / MET / processes,
    )


def _step(config: Config, vocabulary: float) -> float:
    """Return the bytes of one mini-batch's arrays that grow with the settings; for blocks they are negligible."""
    training = config.training
    if training.batch_size == "full":
        return 0.0  # a full batch is computed in pieces
    if training.objective == "softmax":
        return 8.0 * training.batch_size * vocabulary
    if training.objective == "negative_sampling" and not training.shared_negatives:
        return 8.0 * training.batch_size * 2 * largest(config.windows) * training.negatives * training.vector_size
    return 0.0
