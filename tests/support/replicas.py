"""A small training by replicas, to be interrupted; run as a program, to be killed as a process."""

import os
import sys
from pathlib import Path
from typing import Any

from configs.schema import Runtime
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tests.support import topics

SETTINGS: dict[str, Any] = {
    **topics.SETTINGS, "epochs": 2, "keep_epochs": 2, "replicas": 4, "meetings": 12, "solo_windows": 500,
}  # fmt: skip


def train(workspace: Path, *, pause_after: int = 0, runtime: dict[str, Any] | None = None, **settings: Any) -> Dataset:
    """Train by four replicas."""
    context = Context(
        runtime=Runtime(workspace=str(workspace), **{"workers": 1, **(runtime or {})}), pause_after=pause_after
    )
    return topics.train(context, **{**SETTINGS, **settings})


def die(call: str) -> str:
    """End the worker that does this call."""
    os._exit(1)


if __name__ == "__main__":
    made = train(
        Path(sys.argv[1]), runtime={"workers": int(sys.argv[2]), "checkpoint_interval": 0.01}, meetings=int(sys.argv[3])
    )
    print(made.digest)
