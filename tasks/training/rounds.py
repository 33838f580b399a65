"""The rounds of a training by replicas: which windows are learnt between which two meetings, and by how many.

At first a single model learns alone: copies of vectors that have not yet parted would all learn the same. The rest of
the text is divided by the meetings, whose number is what quality depends on, whatever the number of replicas. Within a
round each replica learns one of as many consecutive, equal slices.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from configs.schema import Training

SOLO = 250_000  # windows in a round of one model: progress is reported, and a checkpoint may be written, after each
FEW = 50  # meetings


class Round(NamedTuple):
    """Consecutive windows of one epoch, learnt between two meetings."""

    epoch: int
    number: int  # within the epoch
    windows: range  # of the epoch
    replicas: int
    first: int  # the number of its first slice within the epoch: with the epoch, the address of a slice's noise

    @property
    def slices(self) -> list[range]:
        """Return the windows of each replica, in order; none is empty."""
        return [part for part in _cut(self.windows, self.replicas) if part]


def rounds(rows: Sequence[int], training: Training) -> list[Round]:
    """Return all rounds of a training whose epochs have these `rows`."""
    made: list[Round] = []
    before, total = 0, sum(rows)
    solo = min(training.solo_windows, total)
    for epoch, size in enumerate(rows):
        alone = min(max(solo - before, 0), size)
        # Meetings are shared out by windows, at least one to each epoch: none goes on beyond the end of its own.
        shares = [_share(max(at - solo, 0), total - solo, training.meetings) for at in (before, before + size)]
        parts = [(part, 1) for part in _cut(range(alone), -(-alone // SOLO))]
        parts += [(part, training.replicas) for part in _cut(range(alone, size), max(1, shares[1] - shares[0]))]
        first = 0
        for part, replicas in parts:
            if part:
                number = made[-1].number + 1 if made and made[-1].epoch == epoch else 0
                made.append(Round(epoch, number, part, replicas, first))
                first += len(made[-1].slices)
        before += size
    return made


def meetings(made: Sequence[Round]) -> int:
    """Return how often several replicas are combined."""
    return sum(len(each.slices) > 1 for each in made)


def warnings(training: Training, rows: Sequence[int]) -> Iterator[str]:
    """Yield what will cost quality in a training of these `rows`."""
    found = meetings(rounds(rows, training))
    if training.replicas == 1 or found >= FEW:
        return
    if not found:
        yield (
            f"training.replicas: one model learns all {sum(rows):,} windows alone, {training.replicas} replicas none. "
            "Lower training.solo_windows, or set training.replicas=1."
        )
    else:
        yield (
            f"training.meetings: {training.replicas} replicas are combined only {found} times. With fewer than {FEW} "
            "meetings the vectors are clearly worse than those of one model (docs/explanation/training-on-many.md)."
        )


def _share(windows: int, total: int, meetings: int) -> int:
    """Return how many of the meetings are over after these of all windows, rounded half up."""
    return (2 * windows * meetings + total) // (2 * total) if total else 0


def _cut(whole: range, parts: int) -> list[range]:
    """Return the range in so many parts, as equal as they can be."""
    size = len(whole)
    return [whole[size * part // parts : size * (part + 1) // parts] for part in range(parts)]
