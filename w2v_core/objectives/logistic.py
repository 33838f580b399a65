"""Binary decisions: the loss that negative sampling and hierarchical softmax are sums of.

    P(yes) = σ(u·h)          loss = −log σ(u·h) for yes,  −log σ(−u·h) for no

    d_score = σ(u·h) − y     with y = 1 for yes, 0 for no
    d_h = Σ d_score · u      d_u = Σ d_score · h           each summed over the decisions that h or u takes part in

Shapes   M decisions of P pairs; B hidden vectors, D vector size. Scores go through float64 for the loss.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.examples import Gradients
from w2v_core.sparse import CHUNK, Floats, Integers, Rows, matrix

LARGEST = 80.0  # beyond ±80 the sigmoid is 0 or 1, and exp would underflow in float32


def gradients(
    hidden: Floats, row: Integers, output: Floats, pair: Integers, choice: Integers, yes: NDArray[np.bool_]
) -> Gradients:
    """Decision m, of pair[m], asks output vector choice[m]; the right answer is yes[m]. `pair` never decreases."""
    hidden_of = row[pair]
    scores = products(hidden, hidden_of, output, choice)
    loss = sums(pair, losses(scores, yes), len(row))
    d_scores = matrix(hidden_of, choice, sigmoid(scores) - yes, (len(hidden), len(output)))
    d_output = Rows(d_scores.column, d_scores.transposed(hidden), np.bincount(d_scores.place))
    return Gradients(loss, d_scores @ output, np.bincount(hidden_of, minlength=len(hidden)), d_output)


def products(hidden: Floats, row: Integers, output: Floats, choice: Integers) -> Floats:
    """u·h of each decision, (M,)."""
    scores = np.empty(len(row), hidden.dtype)
    for start in range(0, len(row), CHUNK):
        part = slice(start, start + CHUNK)
        np.einsum("md,md->m", hidden[row[part]], output[choice[part]], out=scores[part])
    return scores


def losses(scores: Floats, yes: NDArray[np.bool_]) -> NDArray[np.float64]:
    """−log σ(±score), written as max(−s, 0) + log(1 + exp(−|s|)), which neither overflows nor cancels."""
    signed = np.where(yes, scores, -scores).astype(np.float64)
    return np.maximum(-signed, 0) + np.log1p(np.exp(-np.minimum(np.abs(signed), LARGEST)))


def sums(pair: Integers, loss: NDArray[np.float64], pairs: int) -> NDArray[np.float64]:
    """The loss of each pair, (P,): a pair without decisions costs nothing."""
    return np.bincount(pair, weights=loss, minlength=pairs).astype(np.float64)  # without pairs it gives integers


def sigmoid(scores: Floats) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(scores, -LARGEST, LARGEST)))
    return result
