"""Choose the documents that are held out from training, by which the vectors are judged."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from configs.schema import Windows
from tasks.engine.store import Dataset
from w2v_core.randomness import generator

FEW_DOCUMENTS = 20  # with fewer, none must be held out


def chosen(parts: Sequence[Dataset], config: Windows) -> list[list[int] | None]:
    """Return, for each part, the documents to hold out, or None for those of its own choice.

    A part chooses by its content, so documents stay held out when the corpus grows before or behind them. Of a corpus
    with FEW_DOCUMENTS or more at least one is held out, of a smaller one those that `held_out_documents` says.
    """
    fraction, counts = config.held_out_fraction, [part.manifest.account.read for part in parts]
    documents = sum(counts)
    if config.held_out == "last":
        fewest = int(fraction > 0 and documents >= FEW_DOCUMENTS)
        rows = np.arange(documents - max(int(documents * fraction), fewest), documents)
    elif documents >= FEW_DOCUMENTS and (not fraction or any(own_choice(part, fraction).any() for part in parts)):
        return [None for _ in parts]
    else:
        rows = np.flatnonzero(held_out_documents(documents, fraction))
    ends = np.cumsum(counts)
    return [(rows[(rows >= end - n) & (rows < end)] - (end - n)).tolist() for n, end in zip(counts, ends, strict=True)]


def own_choice(part: Dataset, fraction: float) -> NDArray[np.bool_]:
    """Return which documents of a part its own choice holds out."""
    chosen: NDArray[np.bool_] = (
        generator(0, "held-out", int(part.digest, 16)).random(part.manifest.account.read) < fraction
    )
    return chosen


def held_out_documents(documents: int, fraction: float) -> NDArray[np.bool_]:
    """Return which documents of a small corpus are held out: the same ones each time, also after it has grown."""
    priority = generator(0, "held-out").random(documents)
    chosen = priority < fraction
    if fraction and documents >= FEW_DOCUMENTS and not chosen.any():
        chosen[priority.argmin()] = True
    return chosen
