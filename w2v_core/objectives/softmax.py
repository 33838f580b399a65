"""Naive softmax: the probability itself, over the whole vocabulary.

    P(o | h) = exp(u_o·h) / Z,   Z = Σ_w exp(u_w·h)          loss = −log P(o | h) = log Z − u_o·h

With the probabilities p (V,) of a hidden vector, and y (V,) one at the target and zero elsewhere,

    d_score = p − y          d_h = Σ_w (p_w − y_w) u_w          d_u_w = (p_w − y_w) h

The n pairs of a row share one softmax, so a batch costs B·V scores rather than P·V: their d_scores sum to n·p − Σ y.

Shapes   B windows in the batch, P pairs, V vocabulary, D vector size; scores (B, V), in chunks of at most ELEMENTS.
Source   Mikolov et al. 2013b (arXiv:1310.4546), eq. 2, sign flipped: we minimise.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Floats, Integers
from w2v_core.examples import Gradients
from w2v_core.sparse import Rows

ELEMENTS = 1 << 22  # scores held at a time
PART_ROWS, PART_WORDS = 128, 2048  # what a thread takes at a time
LEAST = -80.0  # exp of anything lower is nothing beside exp(0), and would underflow in float32


class Softmax:
    """The exact objective, and the distribution that models of negative sampling are measured by."""

    outputs_are_words = True

    def __init__(self, threads: int = 1) -> None:
        """Share the work among `threads`; they change no bit."""
        self.threads = threads

    def gradients(
        self, hidden: Floats, row: Integers, target: Integers, output: Floats, *, rng: np.random.Generator
    ) -> Gradients:
        """Return exact loss and gradients; `rng` is not used.

        For damping, each pair counts as two terms: its target, and one noise word drawn from p.
        """
        words = len(output)
        loss = np.zeros(len(row))
        d_hidden, d_output = np.empty_like(hidden), np.zeros_like(output)
        pairs_of_row = np.bincount(row, minlength=len(hidden)).astype(hidden.dtype)
        terms = 2 * np.bincount(target, minlength=words).astype(hidden.dtype)

        def by_rows(chunk: slice, d_scores: Floats, rows: slice) -> None:
            """Write d_scores and d_hidden of these rows, and the loss of their pairs."""
            first, last = np.searchsorted(row, [rows.start, rows.stop])  # `row` does not decrease
            pairs, here = slice(first, last), row[first:last] - rows.start
            # s_w = u_w·h of every word beside every hidden vector, one matrix product.
            scores = d_scores[rows.start - chunk.start : rows.stop - chunk.start]
            np.matmul(hidden[rows], output.T, out=scores)
            # −log P = log Z − s at the target, with Z = Σ e^(s − a) · e^a for the largest score a, so that no exp
            # exceeds 1.
            largest = scores.max(axis=1)
            scores -= largest[:, None]
            loss[pairs] = -scores[here, target[pairs]]
            total = _exp(scores).sum(axis=1, dtype=np.float64)
            loss[pairs] += np.log(total)[here]
            # d_score = n·p − Σ y: what the n pairs of a row expect, minus what they saw.
            scores *= (pairs_of_row[rows] / total).astype(scores.dtype)[:, None]
            np.subtract.at(scores, (here, target[pairs]), 1)
            # The chain rule through s = u·h, for all words: d_h = d_s·U.
            np.matmul(scores, output, out=d_hidden[rows])

        def by_words(chunk: slice, d_scores: Floats, part: slice) -> None:
            """Add what these rows tell of the words of one part: d_U = d_sᵀ·h for all rows, and their terms n·p."""
            d_output[part] += d_scores[:, part].T @ hidden[chunk]
            terms[part] += d_scores[:, part].sum(axis=0)

        rows_at_a_time = max(1, ELEMENTS // words)
        d_scores = np.empty((min(len(hidden), rows_at_a_time), words), hidden.dtype)
        with ThreadPoolExecutor(self.threads) as pool:
            # Parts are the same for any number of threads, and none writes where another does: so are the bits.
            for chunk in _slices(0, len(hidden), rows_at_a_time):
                here = d_scores[: chunk.stop - chunk.start]
                for work, parts in (
                    (by_rows, _slices(chunk.start, chunk.stop, PART_ROWS)),
                    (by_words, _slices(0, words, PART_WORDS)),
                ):
                    for done in [pool.submit(copy_context().run, work, chunk, here, part) for part in parts]:
                        done.result()
        # The softmax touches every word, so the gradient has all V rows.
        return Gradients(loss, d_hidden, 2 * pairs_of_row, Rows(np.arange(words), d_output, terms))

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


def _slices(start: int, stop: int, step: int) -> Iterator[slice]:
    """Yield the parts of start … stop, of `step` numbers each."""
    for first in range(start, stop, step):
        yield slice(first, min(first + step, stop))
