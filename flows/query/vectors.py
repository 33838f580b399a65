"""Load the vectors of a run, and answer neighbours and analogies with them."""

import difflib
from collections.abc import Sequence, Set
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tasks.datasets.files import write_whole
from tasks.engine import store
from tasks.engine.store import LATEST, MANIFEST, Dataset, Latest, Store
from tasks.errors import InputError, UnknownWord
from tasks.evaluation.judging import Query, Space
from tasks.text import normalization
from tasks.vectors import tables
from tasks.vectors.tables import WordVectors

Named = tuple[str, float]  # a word and its cosine
Neighbors = dict[str, list[Named]]
MORE = 8  # answers beside the k best whose cosines differ from theirs by rounding alone
HINTS = 3  # unknown words for which similar spellings are suggested


class Origin(NamedTuple):
    """Whose vectors answer."""

    run: str  # "" while the result waits for MLflow, and if an older version made it
    version: str  # of the registered model, MODEL/NUMBER; "" if the run has none
    epoch: int | None = None  # None stands for the final vectors

    def __str__(self) -> str:
        epoch = f", epoch {self.epoch}" if self.epoch else ""
        return f"{self.version or 'no version'}, run {self.run or 'not known'}{epoch}"


def load(workspace: Path, run: str | None = None, epoch: int | None = None) -> WordVectors:
    """Return the vectors of a run id, of an alias such as `champion`, or, without `run`, of the last retraining.

    With `epoch`, return those at the end of that epoch, as they were trained. Raises InputError if there are no vectors
    yet or the epoch is not kept, TrackingError if the run is unknown or holds no vectors.
    """
    return found(workspace, run, epoch)[0]


def found(workspace: Path, run: str | None = None, epoch: int | None = None) -> tuple[WordVectors, Origin]:
    """Return the vectors as `load` does, and whose they are."""
    return _last(workspace, epoch) if run is None else _of(workspace, run, epoch)


def _of(workspace: Path, name: str, epoch: int | None) -> tuple[WordVectors, Origin]:
    from tasks.tracking import address, models, registry
    from tasks.tracking.names import MODEL_VERSION
    from tasks.tracking.run import Run

    run = Run(uri := address.runs_of(workspace), registry.run_id(uri, name))
    origin = Origin(run.id, run.record.data.tags.get(MODEL_VERSION, ""), epoch)
    if epoch:
        return models.earlier(run, epoch)[0], origin
    return of_run(uri, run.id, registered=registry.is_alias(name)), origin


def _last(workspace: Path, epoch: int | None) -> tuple[WordVectors, Origin]:
    if (latest := store.latest(workspace)) is None:
        raise InputError(f"{workspace}: no vectors yet.\nRun `w2v retrain` first, or name a --workspace.")
    if latest.remote and not (latest.path / MANIFEST).exists():
        Store(workspace / "store", latest.remote).find(latest.stage, latest.key)
    if not latest.path.exists():
        raise InputError(
            f"{workspace}: the vectors of the last retraining are not in the store any more\n"
            f"expected  {latest.path}\nfound     no such folder\n"
            "Rebuild them with the same `w2v retrain`, or name a --run, whose vectors MLflow holds."
        )
    latest.fetch()
    if epoch and epoch not in (kept := tables.kept(latest)):
        raise tables.not_kept("the last retraining", epoch, kept)
    return tables.load(latest, epoch), Origin(latest.run, latest.version, epoch)


def space(workspace: Path, run: str | None = None, epoch: int | None = None) -> Space:
    """Load the vectors as a space that answers neighbours and analogies."""
    return Space(load(workspace, run, epoch))


def of_run(uri: str, run_id: str, *, registered: bool) -> WordVectors:
    """Return the vectors as trained, or those of the registered model, which may be rotated to a champion's axes."""
    from tasks.promotion import alignment
    from tasks.tracking.contents.vectors import vectors_of
    from tasks.tracking.run import Run

    run = Run(uri, run_id)
    return alignment.registered(run) if registered else vectors_of(run)


def make_latest(workspace: Path, vectors: Dataset, run: str = "", version: str = "") -> None:
    """Record this training output as that of the last retraining, with the run and the version that it became."""
    noted = Latest(**vectors.model_dump(), run=run, version=version)
    write_whole(workspace / LATEST, noted.model_dump_json().encode())


def neighbors(space: Space, words: list[str], k: int) -> Neighbors:
    """Return the k words most similar to each word, also to one that was never seen, by its n-grams.

    Raises UnknownWord.
    """
    return dict(zip(words, nearest(space, query_of(space, words), k), strict=True))


def nearest(space: Space, query: Query, k: int) -> list[list[Named]]:
    """Return the k words most similar to each word; the same bits however many words are asked at once."""
    found = space.vectors.nearest(query.unit, query.row[:, None], k + MORE)
    ranked = space.vectors.ranked(query.unit, found, k)
    return [_named(space, *answer) for answer in zip(*ranked, strict=True)]


def nearest_to(space: Space, queries: np.ndarray, without: Sequence[Set[int]], k: int) -> list[list[Named]]:
    """Return the k words most similar to each vector (Q, D), without the rows that its set names.

    For the vector of a word and its own row, the bits are those of `nearest`.
    """
    most = k + max(map(len, without), default=0)
    found = space.vectors.nearest(queries, np.empty((len(queries), 0), np.intp), most + MORE)
    words, scores = space.vectors.ranked(queries, found, most)
    kept = [~np.isin(row, list(out)) for row, out in zip(words, without, strict=True)]
    return [_named(space, row[keep][:k], score[keep][:k]) for row, score, keep in zip(words, scores, kept, strict=True)]


def documents_of(space: Space, texts: Sequence[str | Sequence[str]]) -> list[list[int]]:
    """Return the rows of each text's words, −1 for unknown ones: of a text as it is cut here, or of given words."""
    rules, ids = space.lookup.rules, space.lookup.ids
    cut = iter(normalization.forms([text for text in texts if isinstance(text, str)], rules) if rules else [])
    found = []
    for text in texts:
        if isinstance(text, str):
            words = next(cut) if rules else text.lower().split()
            found.append([ids.get(word, -1) for word in words])
        else:
            found.append(space.lookup.rows(text))
    return found


def analogy(space: Space, a: str, b: str, c: str, k: int) -> Neighbors:
    """Return the k best answers to "a is to b as c is to …", by 3CosAdd. Raises UnknownWord."""
    query = query_of(space, [a, b, c])
    unit = query.unit[1:2] - query.unit[:1] + query.unit[2:]
    found = space.vectors.nearest(unit, query.row[None], k)
    return {f"{a} : {b} = {c} : …": _named(space, found.word[0], found.score[0])}


def unseen(space: Space, words: Sequence[str]) -> list[str]:
    """Return those of the words that are not in the vocabulary."""
    return [word for word, row in zip(words, space.rows(words), strict=True) if row < 0]


def as_trained(space: Space, learnt: WordVectors, words: Sequence[str]) -> np.ndarray:
    """Return the vector of each word (words, D), of the length that it has. Raises UnknownWord."""
    row = query_of(space, words).row
    table: np.ndarray = learnt.table[np.where(row < len(space), row, 0)]
    unseen = np.flatnonzero(row == len(space)).tolist()
    if unseen:
        table[unseen] = space.made([words[place] for place in unseen])
    return table


def query_of(space: Space, words: Sequence[str]) -> Query:
    """Look up each word as it is written, else as the model's normalization writes it, else by its n-grams.

    Raises UnknownWord, which names all unknown words.
    """
    query = space.query(words)
    if unknown := list(dict.fromkeys(word for word, row in zip(words, query.row, strict=True) if row < 0)):
        forms = dict(zip(unknown, space.lookup.forms(unknown), strict=True))
        cut = {word: form for word, form in forms.items() if len(form) != 1}
        hinted = {word: form[0] for word, form in forms.items() if word not in cut}
        near: dict[str, list[str]] = {word: [] for word in unknown}
        near |= {word: _spellings(space, hinted[word]) for word in list(hinted)[:HINTS]}
        raise UnknownWord(near, len(space), cut)
    return query


def _spellings(space: Space, word: str) -> list[str]:
    """Return known words with a similar spelling; for speed, only those of similar length and the same first letter."""
    first = {word[:1], word[:1].lower()}
    like = [known for known in space.words[:-1] if abs(len(known) - len(word)) < 2 and known[:1] in first]
    return difflib.get_close_matches(word, like, n=3, cutoff=0.75)


def _named(space: Space, rows: np.ndarray, scores: np.ndarray) -> list[Named]:
    return list(zip(space.words[rows].tolist(), scores.tolist(), strict=True))
