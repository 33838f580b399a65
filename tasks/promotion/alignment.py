"""Rotate a run's vectors to the champion's axes, so that an index of the champion's vectors stays comparable.

The model has the rotated vectors, and the run has both: the rotated ones in a folder of their own, and `vectors/` as
trained.
"""

from typing import NamedTuple

import numpy as np

from tasks.comparison.runs import FEWEST, WORDS
from tasks.errors import InputError
from tasks.tracking import registry
from tasks.tracking.contents.vectors import vectors_of
from tasks.tracking.names import ALIGNED, ALIGNED_VECTORS, VECTORS
from tasks.tracking.run import Run
from tasks.vectors.tables import WordVectors
from w2v_core.measures import procrustes, similarity

CHECKED = 1_000  # words whose pairwise similarities are checked
NOBODY = "nobody"  # tag value of a run that found no champion


class Aligned(NamedTuple):
    """Vectors rotated to the axes of a version, and how well they fit."""

    to: str  # version
    vectors: WordVectors
    words: int  # shared words, which determine the rotation
    before: float  # mean cosine of these words with the champion's, before the rotation
    after: float
    change: float  # largest change of a similarity between two of the most frequent: rounding

    def __str__(self) -> str:
        return (
            f"The registered vectors are rotated to the axes of version {self.to}: the mean cosine of {self.words:,} "
            f"words with their vectors there is {self.after:.3f}, unaligned {self.before:.3f}. No similarity of "
            f"frequent words changed by more than {self.change:.1g}."
        )


def registered(run: Run) -> WordVectors:
    """Return the vectors of the run's model."""
    aligned = run.record.data.tags.get(ALIGNED, NOBODY) != NOBODY
    return vectors_of(run, ALIGNED_VECTORS if aligned else VECTORS)


def align(run: Run, model: str, learnt: WordVectors) -> Aligned | None:
    """Return the vectors rotated to the champion's; None without one. The choice of axes is kept in the run's tag."""
    versions = registry.model(run.uri, model)
    chosen = run.record.data.tags.get(ALIGNED) or (versions.champion.number if versions.champion else NOBODY)
    reference = None if chosen == NOBODY else registered(Run(run.uri, versions.version(chosen).run_id))
    aligned = _turned(chosen, learnt, reference) if reference else None
    run.tag({ALIGNED: chosen})
    return aligned


def _turned(to: str, learnt: WordVectors, reference: WordVectors) -> Aligned:
    row = {word: number for number, word in enumerate(learnt.words)}
    shared = [(row[word], old) for old, word in enumerate(reference.words) if word in row][:WORDS]
    if len(shared) < FEWEST:
        raise InputError(
            f"the vectors cannot be aligned: of {len(learnt.words):,} words, version {to} has {len(shared)}\n"
            "Retrain with --set promotion.align=false; finished stages are reused."
        )
    new, old = np.array(shared, np.intp).T
    by = procrustes.rotation(learnt.table[new], reference.table[old])
    table = procrustes.turned(learnt.table, by)
    subwords = learnt.subwords and learnt.subwords._replace(table=procrustes.turned(learnt.subwords.table, by))
    theirs = similarity.Vectors(reference.table[old]).unit
    size = theirs.shape[1]
    ours, turned = (similarity.Vectors(rows[new]).unit for rows in (learnt.table, table))
    checked = slice(CHECKED)
    return Aligned(
        to,
        learnt._replace(table=table, subwords=subwords),
        len(shared),
        float(np.einsum("vd,vd->v", ours[:, :size], theirs[:, : ours.shape[1]]).mean()),
        float(np.einsum("vd,vd->v", turned[:, :size], theirs).mean()),
        float(np.abs(ours[checked] @ ours[checked].T - turned[checked] @ turned[checked].T).max()),
    )
