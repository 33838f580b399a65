"""The factory: names of the config → architectures, objectives, and the learner that trains them.

To add one, write its file and add a line here; no other code mentions these names.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from w2v_core import cbow, skip_gram
from w2v_core.batches import FullBatch, MiniBatches
from w2v_core.examples import Architecture, Objective
from w2v_core.fast import hierarchical_softmax, negative_sampling
from w2v_core.fast.blocks import Blocks
from w2v_core.fast.pipelined import InFlight
from w2v_core.model import Model
from w2v_core.objectives.hierarchical_softmax import HierarchicalSoftmax
from w2v_core.objectives.negative_sampling import NegativeSampling
from w2v_core.objectives.softmax import Softmax
from w2v_core.training import Learner, Settings
from w2v_core.vocabulary import Noise

Counts = NDArray[np.int64]  # (V,) occurrences of each word

ARCHITECTURES: dict[str, Callable[[Settings], Architecture]] = {
    "skip_gram": lambda settings: skip_gram.problems,
    "cbow": lambda settings: partial(cbow.problems, combination=settings.combination),
}
OBJECTIVES: dict[str, Callable[[Settings, Counts, int], Objective]] = {
    "softmax": lambda settings, counts, threads: Softmax(threads),
    "negative_sampling": lambda settings, counts, threads: NegativeSampling(
        Noise(counts, settings.noise_exponent), settings.negatives
    ),
    "hierarchical_softmax": lambda settings, counts, threads: HierarchicalSoftmax(counts),
}
BLOCKS: dict[str, Callable[[Settings, Model, Counts, NDArray[np.bool_]], tuple[Blocks, Blocks] | None]] = {
    "negative_sampling": negative_sampling.lanes,
    "hierarchical_softmax": hierarchical_softmax.lanes,
}


def architecture(settings: Settings) -> Architecture:
    """Return the architecture of these settings. Raises KeyError for a name that is not in ARCHITECTURES."""
    return ARCHITECTURES[settings.architecture](settings)


def objective(settings: Settings, counts: Counts, threads: int = 1) -> Objective:
    """Return the objective of these settings over words with `counts` (V,). Raises KeyError for an unknown name."""
    return OBJECTIVES[settings.objective](settings, counts, threads)


def learner(
    settings: Settings,
    model: Model,
    counts: Counts,
    rows: Callable[[int], int],
    *,
    frozen: NDArray[np.bool_] | None = None,
    threads: int = 1,
) -> Learner:
    """Return the learner for these settings, which changes `model` in place, except for the vectors of `frozen` words.

    counts and frozen are (V,); `rows(epoch)` is the number of windows of an epoch. The fast path on blocks is taken
    where the objective has one and a batch holds at least one block. `threads` changes its speed, never its result.
    """
    frozen = np.zeros(len(counts), np.bool_) if frozen is None else frozen
    # lanes() answers None for what its blocks cannot do (CBOW by hierarchical softmax); that takes the general way.
    roomy = settings.batch_size != "full" and settings.block_length <= settings.batch_size
    if roomy and settings.objective in BLOCKS:
        lanes = BLOCKS[settings.objective](settings, model, counts, frozen)
        if lanes:
            return InFlight(lanes, threads=threads)
    problems, judge = architecture(settings), objective(settings, counts, threads)
    if settings.batch_size == "full":
        return FullBatch(settings, model, problems, judge, frozen, rows)
    return MiniBatches(settings, model, problems, judge, frozen)
