"""Hierarchical softmax: the probability of a word is that of the turns on its path through a Huffman tree.

    P(o | h) = Π σ(± u_n·h)          over the inner nodes n of the path to o: + where it turns left (code 0), − right

Left and right sum to one at each node, since σ(s) + σ(−s) = 1, so the words' probabilities sum to one without a Z.
A pair costs some log₂ V decisions or fewer instead of V scores. Output vectors belong to the inner nodes, not to words.

Shapes   P pairs, V vocabulary, V − 1 inner nodes; B windows in the batch, D vector size.
Source   Morin & Bengio 2005 (AISTATS); Mikolov et al. 2013b (arXiv:1310.4546), eq. 3, sign flipped: we minimise.
"""

import numpy as np
from numpy.typing import NDArray

from w2v_core.arrays import Floats, Integers
from w2v_core.examples import Gradients
from w2v_core.objectives import huffman, logistic


class HierarchicalSoftmax:
    """The objective over the Huffman tree of the words; a distribution itself."""

    outputs_are_words = False  # a node's vector has no meaning in the tree of other counts

    def __init__(self, counts: NDArray[np.int64]) -> None:
        """Build the tree of words with these counts (V,)."""
        self.paths = huffman.paths(counts)

    def gradients(
        self, hidden: Floats, row: Integers, target: Integers, output: Floats, *, rng: np.random.Generator
    ) -> Gradients:
        """Return exact loss and gradients; `rng` is not used."""
        # −log of a product is a sum: one binary decision for each turn, whose answer is yes where the path goes left.
        pair, node, code = self.paths.of(target)
        return logistic.gradients(hidden, row, output, pair, node, ~code)

    def loss(self, hidden: Floats, row: Integers, target: Integers, output: Floats) -> NDArray[np.float64]:
        """Return −log P of each pair, (P,), in nats."""
        # The same decisions without their gradients. Nothing is left out, so this is a true probability.
        pair, node, code = self.paths.of(target)
        scores = logistic.products(hidden, row[pair], output, node)
        return logistic.sums(pair, logistic.losses(scores, ~code), len(row))

    def distribution(self) -> "HierarchicalSoftmax":
        """Return itself: it is normalised."""
        return self
