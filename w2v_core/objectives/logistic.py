"""Binary decisions: negative sampling and hierarchical softmax are sums of this loss.

    P(yes) = σ(u·h)          loss = −log σ(u·h) for yes,  −log σ(−u·h) for no

    d_score = σ(u·h) − y     with y = 1 for yes, 0 for no
    d_h = Σ d_score · u      d_u = Σ d_score · h           each summed over the decisions that h or u takes part in

Shapes   M decisions of P pairs; B hidden vectors, V output vectors, D vector size. Losses are computed in float64.
Source   Logistic regression by maximum likelihood. It is softmax between two words, one of which has the score 0.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Floats, Integers
from w2v_core.examples import Gradients
from w2v_core.sparse import CHUNK, Rows, matrix

LARGEST = 80.0  # beyond ±80 the sigmoid is 0 or 1, and exp would underflow in float32


def gradients(
    hidden: Floats, row: Integers, output: Floats, pair: Integers, choice: Integers, yes: NDArray[np.bool_]
) -> Gradients:
    """Return loss and gradients of M decisions: number m, of pair[m], asks output vector choice[m]; yes[m] is right.

    hidden is (B, D), output (V, D), row (P,), and pair, choice and yes are (M,). `pair` must not decrease.
    """
    # Forward: only M scores, one for each decision, instead of B·V.
    hidden_of = row[pair]
    scores = products(hidden, hidden_of, output, choice)
    loss = sums(pair, losses(scores, yes), len(row))
    # d_score = σ(s) − y, laid out as a sparse (B, V) matrix: the dense one of softmax, where most words are not asked.
    d_scores = matrix(hidden_of, choice, sigmoid(scores) - yes, (len(hidden), len(output)))
    # The same two products as of softmax, d_U = d_sᵀ·h and d_h = d_s·U, over the words asked. n counts the decisions.
    d_output = Rows(d_scores.column, d_scores.transposed(hidden), np.bincount(d_scores.place))
    return Gradients(loss, d_scores @ output, np.bincount(hidden_of, minlength=len(hidden)), d_output)


def products(hidden: Floats, row: Integers, output: Floats, choice: Integers) -> Floats:
    """Return the score u·h of each decision, (M,)."""
    # A chunk of gathered rows stays in the cache; all M of them would go through memory twice.
    scores = np.empty(len(row), hidden.dtype)
    for start in range(0, len(row), CHUNK):
        part = slice(start, start + CHUNK)
        np.einsum("md,md->m", hidden[row[part]], output[choice[part]], out=scores[part])
    return scores


def losses(scores: Floats, yes: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return −log σ(±score) of each decision, (M,), in nats: + where the answer is yes."""
    # −log σ(s) = log(1 + e^−s) = max(−s, 0) + log(1 + e^−|s|), which neither overflows nor cancels.
    signed = np.where(yes, scores, -scores).astype(np.float64)
    return np.maximum(-signed, 0) + np.log1p(np.exp(-np.minimum(np.abs(signed), LARGEST)))


def sums(pair: Integers, loss: NDArray[np.float64], pairs: int) -> NDArray[np.float64]:
    """Return the sum of the losses of each pair, (P,). A pair without decisions costs nothing."""
    return np.bincount(pair, weights=loss, minlength=pairs).astype(np.float64)  # without pairs it gives integers


def sigmoid(scores: Floats) -> Floats:
    """Return σ(s) = 1 / (1 + e^−s) of each score."""
    # Clipped, since e^89 overflows in float32; σ(80) is 1 there anyway.
    result: Floats = 1 / (1 + np.exp(-np.clip(scores, -LARGEST, LARGEST)))
    return result
