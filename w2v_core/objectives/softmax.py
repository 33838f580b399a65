"""Naive softmax: the probability itself, over the whole vocabulary.

    P(o | h) = exp(u_o·h) / Z,   Z = Σ_w exp(u_w·h)          loss = −log P(o | h) = log Z − u_o·h

With the probabilities p (V,) of a hidden vector, and y (V,) one at the target and zero elsewhere,

    d_score = p − y          d_h = Σ_w (p_w − y_w) u_w          d_u_w = (p_w − y_w) h

The n pairs of a row share one softmax, so a batch costs B·V scores rather than P·V: their d_scores sum to n·p − Σ y.

Shapes   B windows in the batch, P pairs, V vocabulary, D vector size; scores (B, V), in chunks of at most ELEMENTS.
Source   Mikolov et al. 2013b (arXiv:1310.4546), eq. 2, sign flipped: we minimise.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Floats, Integers
from w2v_core.examples import Gradients
from w2v_core.sparse import Rows

ELEMENTS = 1 << 22  # scores held at a time
LEAST = -80.0  # exp of anything lower is nothing beside exp(0), and would underflow in float32


class Softmax:
    """The exact objective, and the distribution that models of negative sampling are measured by."""

    outputs_are_words = True

    def gradients(
        self, hidden: Floats, row: Integers, target: Integers, output: Floats, *, rng: np.random.Generator
    ) -> Gradients:
        """Return exact loss and gradients; `rng` is not used.

        For damping, each pair counts as two terms: its target, and one noise word drawn from p.
        """
        loss = np.zeros(len(row))
        d_hidden, d_output = np.zeros_like(hidden), np.zeros_like(output)
        terms = np.bincount(target, minlength=len(output)).astype(hidden.dtype)
        pairs_of_row = np.bincount(row, minlength=len(hidden)).astype(hidden.dtype)
        for rows, pairs in _chunks(row, len(hidden), len(output)):
            here, word = row[pairs] - rows.start, target[pairs]
            # s_w = u_w·h of every word beside every hidden vector, one matrix product.
            scores = hidden[rows] @ output.T
            log_z = _log_sum_exp(scores)
            # −log P = log Z − s at the target; and p = exp(s − log Z), which cannot overflow, as s ≤ log Z.
            loss[pairs] = log_z[here] - scores[here, word]
            probability = _exp(scores - log_z[:, None].astype(scores.dtype))
            terms += pairs_of_row[rows] @ probability
            # d_score = n·p − Σ y: what the n pairs of a row expect, minus what they saw.
            d_scores = pairs_of_row[rows, None] * probability
            np.subtract.at(d_scores, (here, word), 1)
            # The chain rule through s = u·h, for all words and all rows: d_h = d_s·U, d_U = d_sᵀ·h.
            d_hidden[rows] = d_scores @ output
            d_output += d_scores.T @ hidden[rows]
        # The softmax touches every word, so the gradient has all V rows.
        return Gradients(loss, d_hidden, 2 * pairs_of_row, Rows(np.arange(len(output)), d_output, terms))

    def loss(self, hidden: Floats, row: Integers, target: Integers, output: Floats) -> NDArray[np.float64]:
        """Return −log P of each pair, (P,), in nats: in float64 whatever the tables are."""
        hidden = hidden.astype(np.float64)
        # log Z is summed over slices of the vocabulary, by log(e^a + e^b), so that all V scores need not fit at once.
        log_z = np.full(len(hidden), -np.inf)
        step = max(1, ELEMENTS // max(1, len(hidden)))
        for start in range(0, len(output), step):
            words = output[start : start + step].astype(np.float64)
            log_z = np.logaddexp(log_z, _log_sum_exp(hidden @ words.T))
        loss: NDArray[np.float64] = log_z[row] - np.einsum("pd,pd->p", hidden[row], output[target])
        return loss

    def distribution(self) -> "Softmax":
        """Return itself: it is normalised."""
        return self


def _log_sum_exp(scores: Floats) -> NDArray[np.float64]:
    """Return log Z (B,) of scores (B, V)."""
    # log Σ e^s = a + log Σ e^(s − a) for any a; with a the largest score, no exp exceeds 1.
    largest = scores.max(axis=1)
    total: NDArray[np.float64] = np.log(_exp(scores - largest[:, None]).sum(axis=1, dtype=np.float64)) + largest
    return total


def _exp(scores: Floats) -> Floats:
    """Replace the scores by their exp, in place, so that a chunk needs no second array; return them."""
    np.maximum(scores, LEAST, out=scores)
    return np.exp(scores, out=scores)


def _chunks(row: Integers, hidden: int, words: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of the hidden vectors, each with the slice of the pairs that use them."""
    # `row` does not decrease, so the pairs of a slice of rows lie together too.
    step = max(1, ELEMENTS // words)
    for start in range(0, hidden, step):
        rows = slice(start, min(start + step, hidden))
        first, last = np.searchsorted(row, [rows.start, rows.stop])
        yield rows, slice(int(first), int(last))
