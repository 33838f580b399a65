"""What running a stage is expected to take: rows, disk, memory and time, from the size of the text and measured rates.

The rates are rounded from runs on two cores over English text; the results are orders of magnitude, and the count of
documents, which the size does not tell, may be further off.
"""

from math import sqrt
from pathlib import PurePath
from typing import NamedTuple

from configs.schema import Config
from tasks._sources import sources

INFLATION = {".gz": 3.2, ".bz2": 4.0, ".xz": 4.1, ".zst": 3.2, ".zip": 3.2}  # of English text
DOCUMENTATION = 0.25  # of a Python source, what is docstrings
WORD = 6.0  # bytes of text
BASE = 400e6  # bytes of memory: the interpreter and its libraries


class Expected(NamedTuple):
    rows: float
    disk: float  # bytes
    memory: float  # bytes, at the peak
    seconds: float


def expect(config: Config) -> dict[str, Expected]:
    """By stage, as if nothing were there yet. Raises InputError if the source is not."""
    text = sum(source.size * _growth(source.name) for source in sources(config.ingestion))
    words = text / WORD
    vocabulary = min(config.vocabulary.max_size or 10**7, 16 * sqrt(words))  # Heaps' law, at min_count 5 of English
    training = config.training
    tables = vocabulary * training.vector_size * 8
    windows = 0.7 * words  # what subsampling at 1e-3 leaves of English
    return {
        "ingestion": Expected(text / 2e3, 0.4 * text, BASE, 5 + text / 20e6),
        "tokenization": Expected(text / 2e3, 0.25 * text, BASE + 200e6, 1 + words / 4e6),
        "vocabulary": Expected(vocabulary, 20 * vocabulary, BASE + 200e6, 1 + words / 10e6),
        "windows": Expected(windows, 2 * windows, BASE + 200e6, 1 + words / 8e6),
        "training": Expected(
            vocabulary, tables, BASE + 3 * tables, 2 + training.epochs * words / 1e6 * training.vector_size / 100
        ),
        "evaluation": Expected(20e3, 1e6, BASE + 2 * tables, 15),
    }


def _growth(name: str) -> float:
    suffix = PurePath(name).suffix
    return DOCUMENTATION if suffix == ".py" else INFLATION.get(suffix, 1.0)
