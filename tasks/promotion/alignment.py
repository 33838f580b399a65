"""A run's vectors turned to the champion's axes: for whoever has indexed by these, and compares new vectors with old.

The model has the turned ones, and so has the run, in a folder of their own; `vectors/` stays what was trained.
"""

from typing import NamedTuple

import numpy as np

from tasks.comparison.runs import FEWEST, WORDS
from tasks.errors import InputError
from tasks.tracking import registry
from tasks.tracking.run import Run
from tasks.tracking.session import ALIGNED, VECTORS, vectors_of
from tasks.vectors.tables import Vectors
from w2v_core.measures import procrustes, similarity

CHECKED = 1_000  # words whose similarities are compared, all with all
NOBODY = "nobody"  # the tag of a run that found no champion


class Aligned(NamedTuple):
    to: str  # version
    vectors: Vectors
    words: int  # shared, which fix the rotation
    before: float  # mean cosine of these words with the champion's, axes as trained
    after: float
    change: float  # of a similarity between two frequent ones of them, at most: rounding

    def __str__(self) -> str:
        return (
            f"The registered vectors are turned to the axes of version {self.to}: the mean cosine of {self.words:,} "
            f"words with their vectors there is {self.after:.3f}, unaligned {self.before:.3f}. No similarity of "
            f"frequent words has changed by more than {self.change:.1g}."
        )


def registered(run: Run) -> Vectors:
    """The vectors as the run's model has them."""
    aligned = run.record.data.tags.get(ALIGNED, NOBODY) != NOBODY
    return vectors_of(run, ALIGNED if aligned else VECTORS)


def align(run: Run, model: str, learnt: Vectors) -> Aligned | None:
    """Turned to the champion; None if there is none. Whose axes to take is decided once, and stays in the run's tag."""
    versions = registry.model(run.uri, model)
    chosen = run.record.data.tags.get(ALIGNED) or (versions.champion.number if versions.champion else NOBODY)
    reference = None if chosen == NOBODY else registered(Run(run.uri, versions.version(chosen).run_id))
    aligned = _turned(chosen, learnt, reference) if reference else None
    run.tag({ALIGNED: chosen})
    return aligned


def _turned(to: str, learnt: Vectors, reference: Vectors) -> Aligned:
    row = {word: number for number, word in enumerate(learnt.words)}
    shared = [(row[word], old) for old, word in enumerate(reference.words) if word in row][:WORDS]
    if len(shared) < FEWEST:
        raise InputError(
            f"the vectors cannot be aligned: of {len(learnt.words):,} words, version {to} has {len(shared)}\n"
            "Retrain with --set promotion.align=false; what is done is not done again."
        )
    new, old = np.array(shared, np.intp).T
    by = procrustes.rotation(learnt.table[new], reference.table[old])
    table = procrustes.turned(learnt.table, by)
    theirs = similarity.Vectors(reference.table[old]).unit
    size = theirs.shape[1]
    ours, turned = (similarity.Vectors(rows[new]).unit for rows in (learnt.table, table))
    checked = slice(CHECKED)
    return Aligned(
        to,
        learnt._replace(table=table),
        len(shared),
        float(np.einsum("vd,vd->v", ours[:, :size], theirs[:, : ours.shape[1]]).mean()),
        float(np.einsum("vd,vd->v", turned[:, :size], theirs).mean()),
        float(np.abs(ours[checked] @ ours[checked].T - turned[checked] @ turned[checked].T).max()),
    )
