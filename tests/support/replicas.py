"""A small training by replicas, to be interrupted; run as a program, to be killed as a process."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from configs.schema import Runtime, Training, Vocabulary, Windows
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.training.stage import training
from tasks.vocabulary import vocabulary
from tasks.windows import windows
from tests.support.corpora import tokens_of

TOPICS = [[f"{topic}{number}" for number in range(8)] for topic in ("sea", "sky")]
SETTINGS: dict[str, Any] = {
    "vector_size": 8, "epochs": 2, "batch_size": 64, "block_length": 16, "shared_negatives": 8, "damping": 0.5,
    "keep_epochs": 2, "replicas": 4, "meetings": 12, "solo_windows": 500,
}  # fmt: skip


def train(workspace: Path, *, pause_after: int = 0, runtime: dict[str, Any] | None = None, **settings: Any) -> Dataset:
    """Train on sixty documents of thirty words, each on one of two topics."""
    context = Context(
        runtime=Runtime(workspace=str(workspace), **{"workers": 1, **(runtime or {})}), pause_after=pause_after
    )
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


def die(call: str) -> str:
    """End the worker that does this call."""
    os._exit(1)


if __name__ == "__main__":
    made = train(
        Path(sys.argv[1]), runtime={"workers": int(sys.argv[2]), "checkpoint_interval": 0.01}, meetings=int(sys.argv[3])
    )
    print(made.digest)
