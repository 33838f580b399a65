"""What running a stage is expected to take: rows, disk, memory and time, from the text there is and measured rates.

The rates are rounded from runs on two cores over English text; the results are orders of magnitude.
"""

from math import sqrt
from pathlib import Path
from typing import NamedTuple

from configs.schema import Config
from flows.plan import Plan
from tasks._sample import Corpus, sample
from tasks._vectors import kept_epochs

WORD = 6.0  # characters of text
SENTENCE = 20  # words
BASE = 400e6  # bytes of memory: the interpreter and its libraries


class Expected(NamedTuple):
    rows: float
    disk: float  # bytes
    memory: float  # bytes, at the peak
    seconds: float


def corpus(config: Config, planned: Plan) -> Corpus | None:
    """The text: counted where it has been ingested, else estimated; None where it is still to be downloaded.

    Raises InputError for what the ingestion could not read.
    """
    documents = planned.outputs.trained.documents
    if planned.text_to_come:
        return sample(config.ingestion, Path(config.runtime.workspace))
    manifest = documents.manifest
    return Corpus(manifest.account.written, manifest.facts["characters"])


def expect(config: Config, corpus: Corpus) -> dict[str, Expected]:
    """By stage, as if nothing were there yet."""
    documents, text = corpus
    words = text / WORD
    vocabulary = min(config.vocabulary.max_size or 10**7, 16 * sqrt(words))  # Heaps' law, at min_count 5 of English
    training = config.training
    tables = vocabulary * training.vector_size * 8
    step = _step(config, vocabulary)
    judged = len(kept_epochs(training)) + 1  # the final vectors, and those kept of earlier epochs
    texts = words / SENTENCE if config.tokenization.sentences else documents
    held_out = config.windows.held_out_fraction * words
    windows = 0.7 * words  # what subsampling at 1e-3 leaves of English
    return {
        "ingestion": Expected(documents, 0.4 * text, BASE, 5 + text / 20e6),
        "tokenization": Expected(texts, 0.25 * text, BASE + 200e6, 1 + words / 4e6),
        "vocabulary": Expected(vocabulary, 20 * vocabulary, BASE + 200e6, 1 + words / 10e6),
        "windows-held-out": Expected(held_out, 2 * held_out, BASE + 200e6, 1 + words / 8e6),
        "windows": Expected(windows, 2 * windows, BASE + 200e6, 1 + words / 8e6),
        "training": Expected(
            vocabulary,
            judged * tables,
            BASE + 3 * tables + step,
            2 + training.epochs * words / 1e6 * training.vector_size / 100,
        ),
        "evaluation": Expected(20e3, 1e6, BASE + 2 * tables, 15 * judged),
    }


def _step(config: Config, vocabulary: float) -> float:
    """Bytes of the arrays of one mini-batch that grow with settings; of blocks they are few."""
    training = config.training
    if training.batch_size == "full":
        return 0.0  # it is cut into pieces
    if training.objective == "softmax":
        return 8.0 * training.batch_size * vocabulary
    if training.objective == "negative_sampling" and not training.shared_negatives:
        return 8.0 * training.batch_size * 2 * config.windows.window * training.negatives * training.vector_size
    return 0.0
