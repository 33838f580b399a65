"""Small trainings for tests."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tests.w2v_core.oracles import Corpus
from w2v_core import factory
from w2v_core.model import Model
from w2v_core.training import Position, Progress, Settings, train
from w2v_core.windows import Windows

SIZES: list[int | str] = [1, 8, "full"]


def model_for(corpus: Corpus, size: int = 4, seed: int = 0) -> Model:
    """Return vectors of which none is zero, so that no gradient vanishes."""
    theta = np.random.default_rng(seed).standard_normal((len(corpus.counts), 2, size), dtype=np.float32)
    return Model(theta / 2)


def shards_of(corpus: Corpus, size: int) -> list[Windows]:
    """Return the windows in shards of `size` rows."""
    whole = corpus.windows
    parts = [slice(start, start + size) for start in range(0, len(whole), size)]
    return [whole[part] for part in parts]


def run(
    config: Settings,
    corpus: Corpus,
    model: Model,
    start: Position | None = None,
    shard_rows: int = 30,
    frozen: NDArray[np.bool_] | None = None,
) -> Iterator[Progress]:
    """Train on the same windows in every epoch."""
    shards = shards_of(corpus, shard_rows)

    def rows(epoch: int) -> int:
        return len(corpus.windows)

    learner = factory.learner(config, model, corpus.counts, rows, frozen=frozen)
    return train(learner, config, model, lambda epoch, first: iter(shards[first:]), rows, start)
