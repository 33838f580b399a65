"""Negative sampling: tell the true context word from K noise words.

    loss = −log σ(u_o·h) − Σ_k log σ(−u_k·h)          k drawn with P(w) ∝ count(w) ** noise_exponent

1 + K decisions for each pair instead of V scores. A noise word that happens to be the pair's own target o is skipped,
not drawn again, as in word2vec.c: a true context is never its own negative.

Shapes   P pairs, K negatives, B windows in the batch, D vector size.
Source   Mikolov et al. 2013 (arXiv:1310.4546), eq. 4, sign flipped: we minimise.
"""

import numpy as np

from w2v_core.examples import Gradients
from w2v_core.objectives import logistic
from w2v_core.objectives.softmax import Softmax
from w2v_core.sparse import Floats, Integers
from w2v_core.vocabulary import Noise


class NegativeSampling:
    outputs_are_words = True

    def __init__(self, noise: Noise, negatives: int) -> None:
        self.noise, self.negatives = noise, negatives

    def gradients(
        self, hidden: Floats, row: Integers, target: Integers, output: Floats, *, rng: np.random.Generator
    ) -> Gradients:
        noise = self.noise.draw((len(target), self.negatives), rng=rng)
        choice = np.column_stack([target, noise])  # (P, 1 + K)
        asked = choice != target[:, None]
        asked[:, 0] = True
        pair, column = np.nonzero(asked)
        return logistic.gradients(hidden, row, output, pair, choice[pair, column], column == 0)

    def distribution(self) -> Softmax:
        """The softmax that it approximates; it has no normalised probability of its own."""
        return Softmax()
