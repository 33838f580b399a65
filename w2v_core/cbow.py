"""CBOW, the continuous bag of words: predict the word in the center from the words around it.

    h = 1/n · Σ v_context          one pair (h, center) for each window with n > 0 context words; `sum` omits 1/n

The chain rule returns the factor: d_v = 1/n · d_h for each context word. word2vec.c and gensim omit it there, so that
their input vectors move n times as far. The gradient here is exact and needs a larger learning rate.

Shapes   B windows in the batch, M context words of all of them, P ≤ B pairs.
Source   Mikolov et al. 2013a (arXiv:1301.3781), section 3.1; for 1/n İrsoy, Benton & Stratos 2021 (arXiv:2012.15332).
"""

from typing import Literal

import numpy as np

from w2v_core.arrays import Integers
from w2v_core.examples import Mixture, Problems
from w2v_core.windows import Windows, pairs


def problems(windows: Windows, rows: Integers, combination: Literal["mean", "sum"] = "mean") -> Problems:
    """Return the predictions of the windows at `rows` (B,): each center from the mean or sum of its context."""
    row, context = pairs(windows, rows)
    # The mean is a mixture with weight 1/n for each of the n context words; the chain rule reads the same weight back.
    size = np.bincount(row, minlength=len(rows))  # n of each window
    weight = 1 / size[row] if combination == "mean" else np.ones(len(row))
    # A window without context (a document of one word) has h = 0 and predicts nothing.
    seeing = np.flatnonzero(size)
    # The context words of a window become its hidden vector, and its center the one word to predict.
    around = Mixture(row, windows.center[context], weight)
    return Problems(len(rows), around, seeing, windows.center[rows[seeing]])
