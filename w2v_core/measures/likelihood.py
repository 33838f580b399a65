"""J(θ) itself, measured on held-out windows: the one loss that is defined for every objective.

    J(θ) = −1/N · Σ_i Σ_o log P(o | h_i)          over N windows i, and the words o that each should predict

For skip-gram that is −log P(context | center), for CBOW −log P(center | context). P is the naive softmax over the
whole vocabulary, also for models of negative sampling, which have no normalised probability. A hierarchical softmax is
a distribution itself and is measured by its own. Everything is float64, in chunks of windows and of vocabulary.

Shapes   N windows, B of them in a chunk, P pairs, V vocabulary, D vector size.
Source   Mikolov et al. 2013b (arXiv:1310.4546), eq. 1, sign flipped and with the radius of each window.
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
    """The loss of held-out windows, in nats."""

    windows: int  # N, those with a radius
    pairs: int
    loss: float  # −Σ log P over all pairs

    @property
    def per_window(self) -> float:
        """Return J(θ), in nats; 0 without windows."""
        return self.loss / max(1, self.windows)

    @property
    def per_pair(self) -> float:
        """Return the mean over pairs, in nats; its exponential is the perplexity."""
        return self.loss / max(1, self.pairs)


def held_out_loss(model: Model, windows: Windows, settings: Settings, counts: NDArray[np.int64]) -> HeldOut:
    """Return the loss of the windows under the model; counts are (V,).

    Rows with radius 0 only serve as context and are not measured.
    """
    # The same architecture as in training forms the predictions; only the objective gives way to its distribution.
    problems_of, distribution = architecture(settings), objective(settings, counts).distribution()
    judged = np.flatnonzero(windows.radius)
    pairs, loss = 0, 0.0
    for start in range(0, len(judged), CHUNK):
        problems = problems_of(windows, judged[start : start + CHUNK])
        # h = M·v, in float64 as the weights are.
        row, word, weight = problems.mixture
        hidden = matrix(row, word, weight, (problems.size, len(model.input))) @ model.input
        # −Σ log P(target | h) over the pairs of the chunk; the mean is taken at the end, over all of them.
        loss += float(distribution.loss(hidden, problems.row, problems.target, model.output).sum())
        pairs += len(problems.row)
    return HeldOut(len(judged), pairs, loss)
