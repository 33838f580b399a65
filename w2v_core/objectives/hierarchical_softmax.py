"""Hierarchical softmax: a word is reached by the turns of its path through a Huffman tree.

    P(o | h) = Π σ(± u_n·h)          over the inner nodes n of the path to o: + where it turns left (code 0), − right

Left and right sum to one at each node, since σ(s) + σ(−s) = 1, so the words' probabilities sum to one by themselves:
about log₂ V decisions for each pair instead of V scores. The output vectors belong to the inner nodes, not to words.

Shapes   P pairs, V vocabulary, V − 1 inner nodes; B windows in the batch, D vector size.
Source   Morin & Bengio 2005; Mikolov et al. 2013 (arXiv:1310.4546), eq. 3, sign flipped: we minimise.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.examples import Gradients
from w2v_core.objectives import huffman, logistic
from w2v_core.sparse import Floats, Integers


class HierarchicalSoftmax:
    outputs_are_words = False

    def __init__(self, counts: NDArray[np.int64]) -> None:
        self.paths = huffman.paths(counts)

    def gradients(
        self, hidden: Floats, row: Integers, target: Integers, output: Floats, *, rng: np.random.Generator
    ) -> Gradients:
        """Exact: `rng` is not used."""
        pair, node, code = self.paths.of(target)
        return logistic.gradients(hidden, row, output, pair, node, ~code)

    def loss(self, hidden: Floats, row: Integers, target: Integers, output: Floats) -> NDArray[np.float64]:
        pair, node, code = self.paths.of(target)
        scores = logistic.products(hidden, row[pair], output, node)
        return logistic.sums(pair, logistic.losses(scores, ~code), len(row))

    def distribution(self) -> "HierarchicalSoftmax":
        return self
