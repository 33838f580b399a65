"""Negative sampling: distinguish the true context word from K noise words.

    loss = −log σ(u_o·h) − Σ_k log σ(−u_k·h)          k drawn with P(w) ∝ count(w) ** noise_exponent

1 + K decisions for each pair instead of V scores. A noise word that happens to be the pair's own target o is skipped,
not drawn again, as in word2vec.c: a true context is never its own negative.

Shapes   P pairs, K negatives, B windows in the batch, V vocabulary, D vector size.
Source   Mikolov et al. 2013b (arXiv:1310.4546), eq. 4, sign flipped: we minimise. With enough dimensions its optimum
         is u_o·v_c = log(P(o | c) / P_noise(o)) − log K: Levy & Goldberg 2014a (NIPS).
"""

import numpy as np

from w2v_core.arrays import Floats, Integers
from w2v_core.examples import Gradients
from w2v_core.objectives import logistic
from w2v_core.objectives.softmax import Softmax
from w2v_core.vocabulary import Noise


class NegativeSampling:
    """The objective with independent draws for each pair; fast.negative_sampling shares them among windows."""

    outputs_are_words = True

    def __init__(self, noise: Noise, negatives: int) -> None:
        """Draw K = `negatives` words of `noise` for each pair."""
        self.noise, self.negatives = noise, negatives

    def gradients(
        self, hidden: Floats, row: Integers, target: Integers, output: Floats, *, rng: np.random.Generator
    ) -> Gradients:
        """Return loss and gradients for the noise words drawn from `rng`."""
        # Line up the questions of each pair: column 0 is its true word, the others are its noise words.
        noise = self.noise.draw((len(target), self.negatives), rng=rng)
        choice = np.column_stack([target, noise])  # (P, 1 + K)
        # Skip noise words that equal the target: asking yes and no of one word would pull it both ways.
        asked = choice != target[:, None]
        asked[:, 0] = True
        # What is left is a list of binary decisions; only those of column 0 are to be answered yes.
        pair, column = np.nonzero(asked)
        return logistic.gradients(hidden, row, output, pair, choice[pair, column], column == 0)

    def distribution(self) -> Softmax:
        """Return the softmax over the same vectors: this objective has no normalised probability of its own."""
        return Softmax()
