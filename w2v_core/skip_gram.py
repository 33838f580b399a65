"""Skip-gram: predict each word of the context from the word in the center.

    h = v_center          one pair (h, o) for each context word o

Shapes   B windows in the batch, P pairs.
Source   Mikolov et al. 2013a (arXiv:1301.3781), section 3.2.
"""

import numpy as np

from w2v_core.arrays import Integers
from w2v_core.examples import Mixture, Problems
from w2v_core.windows import Windows, pairs


def problems(windows: Windows, rows: Integers) -> Problems:
    """Return the predictions of the windows at `rows` (B,): one hidden vector a window, one target a context word."""
    row, context = pairs(windows, rows)
    # h = 1 · v_center, a mixture of one vector. The n pairs of a window share it, so it is formed once, not n times.
    center = Mixture(np.arange(len(rows)), windows.center[rows], np.ones(len(rows)))
    return Problems(len(rows), center, row, windows.center[context])
