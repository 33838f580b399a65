"""What each stage records in its manifest about its output: the shape of `facts`, by the output's name in a run.

They are dictionaries, as the manifest's JSON has them, with known keys; older versions recorded fewer. Nothing is
computed here, so no stage's key covers this module: the stage that records a fact does.
"""

from typing import Any, NotRequired, TypedDict, TypeVar, cast

from tasks.engine.store import Dataset, Manifest


class LossesFacts(TypedDict):
    """Text that ingestion left out."""

    characters: dict[str, int]  # by reason
    damaged: int  # words with bytes that are not UTF-8
    first: dict[str, str]  # by reason, the place of the first


class BatchFacts(TypedDict):
    """A part of the documents."""

    characters: int
    losses: LossesFacts
    repeated: str  # digest of the first duplicate, in hexadecimal digits


class DocumentsFacts(TypedDict):
    """Of ingestion."""

    files: int
    characters: int
    losses: LossesFacts
    unread: int  # files beside the sources
    told: NotRequired[list[str]]  # notes for people


class TokenPartFacts(TypedDict):
    """A part of the tokens."""

    tokens: int
    rows: int
    sampled: dict[str, int]  # characters by script without spaces; under "" all


class TokensFacts(TypedDict):
    """Of tokenization."""

    tokens: int
    rows: int
    spaceless: NotRequired[dict[str, float]]  # shares of scripts without spaces, if there are any


class PhrasesFacts(TypedDict):
    """Of phrases."""

    phrases: int
    examples: list[str]


class ListedWords(TypedDict):
    """Of a word list of the user's."""

    words: int
    unknown: int
    first: list[str]  # of the unknown words


class VocabularyFacts(TypedDict):
    """Of vocabulary."""

    words: int
    distinct: int
    occurrences: int
    covered: float
    listed: NotRequired[ListedWords]


class WindowsPartFacts(TypedDict):
    """A part of the windows."""

    longest: int  # words of the longest text


class WindowsFacts(TypedDict):
    """Of windows."""

    words: int
    epoch: int | None  # None for the held-out windows


class Speed(TypedDict):
    """Of a training, as measured."""

    words_per_second: float
    seconds: float
    waiting_share: float
    checkpoint_share: float
    curve: list[float]  # words per second up to each point


class InheritedWords(TypedDict):
    """Words of a warm start."""

    kept: int
    new: int
    dropped: int


class SubwordsFacts(TypedDict):
    """Which n-grams of characters vectors are made of."""

    min_n: int
    max_n: int
    buckets: int


class VectorsFacts(TypedDict):
    """Of training."""

    environment: dict[str, Any]  # as `tasks.engine.environment.describe` returns it
    words: int
    speed: Speed
    vector_size: int
    rules: NotRequired[str]  # by which the words were normalised
    replication: NotRequired[dict[str, Any]]  # of a training on many machines
    subwords: NotRequired[SubwordsFacts]
    warm_start: NotRequired[InheritedWords]
    frozen: NotRequired[int]
    listed: NotRequired[ListedWords]


class Band(TypedDict):
    """A score of the words of one frequency band."""

    score: str
    band: str
    items: int
    value: float
    low: float
    high: float


class Learning(TypedDict):
    """What the limits of promotion need beside the scores."""

    moved: bool
    before: float | None  # J(θ) before the training


class JudgedSet(TypedDict):
    """Of an evaluation set."""

    words: int
    unknown: int
    first: list[str]  # of the unknown words
    repeated: int
    such_as: str


class EvaluationFacts(TypedDict):
    """Of evaluation."""

    metrics: dict[str, float]
    epochs: NotRequired[dict[str, dict[str, float]]]  # metrics of the earlier epochs that are kept
    learning: NotRequired[Learning]
    sets: NotRequired[dict[str, JudgedSet]]
    bands: list[Band]
    neighbors: dict[str, list[tuple[str, float]]]


Kind = TypeVar("Kind")


def recorded(kind: type[Kind], output: Dataset | Manifest) -> Kind:
    """Return what the stage has recorded about the output; `kind` is that of the stage."""
    manifest = output if isinstance(output, Manifest) else output.manifest
    return cast(Kind, manifest.facts)
