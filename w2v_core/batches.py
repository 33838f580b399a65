"""Learning in batches, for any architecture and any objective: the derivation as code, one line a step.

    g = Σ ∂loss/∂θ  over the pairs of B windows          θ ← θ − η · g

    B = 1          stochastic gradient descent: a step after each window, chosen at random
    B = 32 …       mini-batches: the sum of B gradients at the same θ, hence the same η as with 1, and damping
    B = "full"     gradient descent: one step an epoch, along the exact gradient of J(θ), a mean over all windows

Shapes   B windows in the batch, P pairs, V vocabulary, D vector size.
Source   Bottou 1998, Online Learning and Stochastic Approximations; damping is derived in sparse.descend.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from w2v_core.examples import Architecture, Objective, Problems
from w2v_core.model import Model
from w2v_core.randomness import generator
from w2v_core.sparse import Rows, descend, matrix
from w2v_core.training import Settings, Step
from w2v_core.windows import Windows

CHUNK = 1 << 12  # windows whose gradient is added to the full one at a time


def gradients(
    model: Model, problems: Problems, objective: Objective, *, rng: np.random.Generator
) -> tuple[NDArray[np.float64], Rows, Rows]:
    """Return the loss of each pair (P,), and the gradients of their sum by the input and by the output vectors."""
    # Forward: h = M·v mixes the hidden vectors (B, D), and the objective compares them with the output vectors.
    row, word, weight = problems.mixture
    mixture = matrix(row, word, weight.astype(model.input.dtype), (problems.size, len(model.input)))
    hidden = mixture @ model.input
    found = objective.gradients(hidden, problems.row, problems.target, model.output, rng=rng)
    # Backward, by the chain rule: d_v = Mᵀ·d_h, what a hidden vector receives goes back to the vectors it is mixed of.
    # The number of terms goes back by the same weights: a context word of CBOW's mean counts 1/n of its window's.
    terms = mixture.transposed(found.terms.astype(hidden.dtype))
    d_input = Rows(mixture.column, mixture.transposed(found.d_hidden), terms)
    return found.loss, d_input, found.d_output


class MiniBatches:
    """The learner of stochastic and of mini-batch descent; changes `model` in place.

    The vectors of `frozen` words (V,) stay as they are. Their output vectors do too, if output vectors are words'.
    """

    def __init__(
        self,
        settings: Settings,
        model: Model,
        architecture: Architecture,
        objective: Objective,
        frozen: NDArray[np.bool_],
    ) -> None:
        self.settings, self.model, self.architecture, self.objective = settings, model, architecture, objective
        self.frozen = frozen
        self.frozen_outputs = frozen & objective.outputs_are_words

    def learn(
        self, windows: Windows, place: tuple[int, int], learning_rate: Callable[[int], float], first: int = 0
    ) -> Iterator[Step]:
        """Learn the shard at `place` (epoch, shard), one batch a step, from batch number `first` on."""
        assert self.settings.batch_size != "full"
        size, seed, damping = self.settings.batch_size, self.settings.seed, self.settings.damping
        # A random order makes each batch an unbiased sample of the shard, so that its gradient points like the whole's.
        order = generator(seed, "order", *place).permutation(len(windows))
        for batch in range(first, -(-len(windows) // size)):
            rows = order[batch * size : (batch + 1) * size]
            # Draws are addressed by the batch's number: a resumed training draws what an uninterrupted one does.
            rng = generator(seed, "training", *place, batch)
            problems = self.architecture(windows, rows)
            loss, d_input, d_output = gradients(self.model, problems, self.objective, rng=rng)
            # Both gradients are taken before either table moves: one step along the gradient of the whole θ.
            rate = learning_rate(batch * size)
            descend(self.model.input, d_input, rate, damping, self.frozen)
            descend(self.model.output, d_output, rate, damping, self.frozen_outputs)
            yield Step(len(rows), len(loss), float(loss.sum()))


class FullBatch:
    """The learner of gradient descent: one update an epoch, along the exact gradient of the mean over all windows.

    `rows(epoch)` is the number of windows of an epoch. Gradients are summed in float64 over its shards; the update
    follows when all windows are in. Changes `model` in place, but for the vectors of `frozen` words (V,).
    """

    def __init__(
        self,
        settings: Settings,
        model: Model,
        architecture: Architecture,
        objective: Objective,
        frozen: NDArray[np.bool_],
        rows: Callable[[int], int],
    ) -> None:
        self.settings, self.model, self.architecture, self.objective = settings, model, architecture, objective
        self.rows = rows
        self.moves = np.stack([~frozen, ~(frozen & objective.outputs_are_words)], axis=1)[:, :, None]

    def learn(
        self, windows: Windows, place: tuple[int, int], learning_rate: Callable[[int], float], first: int = 0
    ) -> Iterator[Step]:
        """Learn the shard at `place` (epoch, shard). An epoch is one update, so it is resumed from its first shard."""
        epoch, shard = place
        if shard == 0:
            self._sum, self._seen, self._rate = np.zeros(self.model.theta.shape), 0, learning_rate(0)
        # θ does not move within an epoch, so the order of the windows does not matter: they are read as they lie.
        for chunk, start in enumerate(range(0, len(windows), CHUNK)):
            rows = np.arange(start, min(start + CHUNK, len(windows)))
            rng = generator(self.settings.seed, "training", *place, chunk)
            problems = self.architecture(windows, rows)
            loss, d_input, d_output = gradients(self.model, problems, self.objective, rng=rng)
            self._sum[d_input.row, 0] += d_input.gradient
            self._sum[d_output.row, 1] += d_output.gradient
            self._seen += len(rows)
            # The mean, not the sum: ∇J(θ) itself, so that η does not depend on the size of the corpus.
            complete = self._seen == self.rows(epoch)
            if complete:
                self.model.theta[:] -= self._rate * self.moves * self._sum / self._seen
            yield Step(len(rows), len(loss), float(loss.sum()), int(complete))
