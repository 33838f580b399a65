"""The vectors of a run, for whoever wants to ask them something or take them elsewhere."""

import difflib
from pathlib import Path

import numpy as np

from tasks import _vectors
from tasks._errors import InputError
from tasks._store import LATEST, Dataset, write_whole
from tasks._vectors import Vectors
from w2v_core import similarity

Neighbors = dict[str, list[tuple[str, float]]]


def load(workspace: Path, run: str | None = None) -> Vectors:
    """What the MLflow run `run` has learnt, what the `champion` is registered with, or the last retraining's vectors.

    Raises InputError if there was none, TrackingError if the run is unknown or holds none.
    """
    if run is not None:
        from tasks import _aligned, _champions, _tracking
        from tasks._runs import Run

        uri = _tracking.runs_of(workspace)
        found = _champions.run_id(uri, run)
        return _tracking.vectors_of(Run(uri, run)) if found == run else _aligned.registered(Run(uri, found))
    try:
        latest = Dataset.model_validate_json((workspace / LATEST).read_bytes())
    except FileNotFoundError:
        raise InputError(f"{workspace}: no vectors yet.\nRun `w2v retrain` first, or name a --workspace.") from None
    return _vectors.load(latest)


def make_latest(workspace: Path, vectors: Dataset) -> None:
    """From now on, this training output is that of the last retraining."""
    write_whole(workspace / LATEST, vectors.model_dump_json().encode())


def neighbors(vectors: Vectors, words: list[str], k: int) -> Neighbors:
    """The k words most similar to each word. Raises InputError for an unknown one."""
    rows = rows_of(vectors, words)
    found = similarity.Vectors(vectors.table).most_similar(rows, k)
    return {word: _named(vectors, *answer) for word, answer in zip(words, zip(*found, strict=True), strict=True)}


def analogy(vectors: Vectors, a: str, b: str, c: str, k: int) -> Neighbors:
    """What is to c as b is to a, by 3CosAdd. Raises InputError for an unknown word."""
    rows = rows_of(vectors, [a, b, c])
    found = similarity.Vectors(vectors.table).cos_add(rows[:1], rows[1:2], rows[2:], k)
    return {f"{a} : {b} = {c} : …": _named(vectors, found.word[0], found.score[0])}


def rows_of(vectors: Vectors, words: list[str]) -> np.ndarray:
    row_of = {word: row for row, word in enumerate(vectors.words)}
    for word in words:
        if word not in row_of:
            near = difflib.get_close_matches(word, vectors.words, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "it was too rare, or is not in the corpus."
            raise InputError(f"{word!r} is not in the vocabulary of {len(row_of):,} words\n{hint}")
    return np.array([row_of[word] for word in words])


def _named(vectors: Vectors, rows: np.ndarray, scores: np.ndarray) -> list[tuple[str, float]]:
    return [(vectors.words[row], float(score)) for row, score in zip(rows, scores, strict=True)]
