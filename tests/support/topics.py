"""A small training on sixty documents, each on one of two topics."""

from typing import Any

import numpy as np

from configs.schema import Training, Vocabulary, Windows
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.training.stage import training
from tasks.vocabulary import vocabulary
from tasks.windows import windows
from tests.support.corpora import tokens_of

TOPICS = [[f"{topic}{number}" for number in range(8)] for topic in ("sea", "sky")]
# sixteen words share 64 windows: without strong damping their steps overshoot
SETTINGS: dict[str, Any] = {
    "vector_size": 8, "epochs": 3, "batch_size": 64, "block_length": 16, "shared_negatives": 8, "damping": 0.5,
}  # fmt: skip


def train(context: Context, **settings: Any) -> Dataset:
    """Train on sixty documents of thirty words."""
    rng = np.random.default_rng(0)
    tokens = tokens_of(context, [[" ".join(rng.choice(TOPICS[number % 2], 30)) for number in range(60)]])
    words = vocabulary.compute(context=context, tokens=tokens, config=Vocabulary(min_count=1, subsample=0.0))
    config = Training(**{**SETTINGS, **settings})
    drawn = {"tokens": tokens, "vocabulary": words, "config": Windows(shard_rows=400), "seed": 1}
    return training.compute(
        context=context,
        vocabulary=words,
        draws=[windows.compute(context=context, **drawn, epoch=epoch) for epoch in range(config.epochs)],
        held_out=windows.compute(context=context, **drawn, epoch=None),
        config=config,
        window=5,
        seed=1,
    )
