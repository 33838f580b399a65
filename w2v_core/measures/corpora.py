"""Divergence of two corpora, by the counts of their words.

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
    """Return the Jensen-Shannon divergence of two corpora, in bits, 0 … 1. Each must have at least one word."""
    # The divergence of each from their mixture m. It is finite where KL(p ‖ q) is not: m has every word of both.
    p, q = a / a.sum(), b / b.sum()
    m = (p + q) / 2
    return float((rel_entr(p, m).sum() + rel_entr(q, m).sum()) / 2 / np.log(2))


def surprise(a: Counts, b: Counts) -> Floats:
    """Return G² of each word (V,): its two counts against those that one common frequency would give.

    Under that hypothesis G² is roughly χ² distributed with one degree of freedom: 3.84 is exceeded by 5% of words.
    """
    # Pool the corpora: the expected count of a word in each is its pooled share of that corpus's size.
    share = (a + b) / (a.sum() + b.sum())
    found: Floats = 2 * (_term(a, share * a.sum()) + _term(b, share * b.sum()))
    return found


def _term(observed: Counts, expected: Floats) -> Floats:
    """Return observed · ln(observed / expected), (V,); 0 where nothing was observed."""
    term: Floats = rel_entr(observed.astype(np.float64), expected)
    return term
