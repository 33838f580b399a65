"""J(θ) itself, measured on held-out windows: the one loss that runs of any objective can be compared by.

    J(θ) = −1/N · Σ_i Σ_o log P(o | h_i)          over N windows i, and the words o that each should predict

For skip-gram that is −log P(context | center), for CBOW −log P(center | contexts). P is the naive softmax over the
whole vocabulary, also for models trained by negative sampling, which approximates it; a hierarchical softmax is a
distribution itself and is judged by its own. Everything is float64, in chunks of windows and of vocabulary.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2v_core.factory import architecture, objective
from w2v_core.model import Model
from w2v_core.sparse import matrix
from w2v_core.training import Settings
from w2v_core.windows import Windows

CHUNK = 1 << 10  # windows judged at a time


class HeldOut(NamedTuple):
    windows: int  # N, those with a radius
    pairs: int
    loss: float  # −Σ log P over all pairs

    @property
    def per_window(self) -> float:
        """J(θ)."""
        return self.loss / max(1, self.windows)

    @property
    def per_pair(self) -> float:
        """The mean over pairs; its exponential is the perplexity."""
        return self.loss / max(1, self.pairs)


def held_out_loss(model: Model, windows: Windows, settings: Settings, counts: NDArray[np.int64]) -> HeldOut:
    """Rows with radius 0 serve as context and are not judged."""
    problems_of, distribution = architecture(settings), objective(settings, counts).distribution()
    judged = np.flatnonzero(windows.radius)
    pairs, loss = 0, 0.0
    for start in range(0, len(judged), CHUNK):
        problems = problems_of(windows, judged[start : start + CHUNK])
        row, word, weight = problems.mixture
        hidden = matrix(row, word, weight, (problems.size, len(model.input))) @ model.input
        loss += float(distribution.loss(hidden, problems.row, problems.target, model.output).sum())
        pairs += len(problems.row)
    return HeldOut(len(judged), pairs, loss)
