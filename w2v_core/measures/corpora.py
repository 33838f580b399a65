"""How two corpora differ, by the counts of their words.

    JSD(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m),   m = ½ (p + q)        in bits: 0 for equal corpora, 1 without a common word
    G²(w)     = 2 Σ_corpora observed · ln(observed / expected)     large where chance explains a word's counts badly

Shapes   V words of either corpus; a and b are counts (V,), 0 where a corpus lacks the word.
Source   Lin 1991, "Divergence measures based on the Shannon entropy"; Dunning 1993 (CL 19), "Accurate methods for the
         statistics of surprise and coincidence", with the two-cell form of Rayson & Garside 2000.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def jensen_shannon(a: Counts, b: Counts) -> float:
    p, q = a / a.sum(), b / b.sum()
    m = (p + q) / 2
    return float((rel_entr(p, m).sum() + rel_entr(q, m).sum()) / 2 / np.log(2))


def surprise(a: Counts, b: Counts) -> Floats:
    """G² of each word (V,): its counts against those that one common frequency would give."""
    share = (a + b) / (a.sum() + b.sum())
    found: Floats = 2 * (_term(a, share * a.sum()) + _term(b, share * b.sum()))
    return found


def _term(observed: Counts, expected: Floats) -> Floats:
    """observed · ln(observed / expected), and 0 where nothing was observed."""
    term: Floats = rel_entr(observed.astype(np.float64), expected)
    return term
