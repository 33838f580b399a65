"""Learning-rate schedules: from the peak to the floor while the training goes from 0 to 1.

    linear    floor + (peak − floor) · (1 − s)                  as in word2vec.c
    cosine    floor + (peak − floor) · (1 + cos π s) / 2        Loshchilov & Hutter 2017 (arXiv:1608.03983)
    constant  peak

During the first share `warmup` of the training the rate rises linearly from the floor to the peak; over the rest
s goes from 0 to 1.
"""

import math
from collections.abc import Callable

SCHEDULES: dict[str, Callable[[float], float]] = {
    "linear": lambda s: 1 - s,
    "cosine": lambda s: (1 + math.cos(math.pi * s)) / 2,
    "constant": lambda s: 1.0,
}


def learning_rate(schedule: str, done: float, *, peak: float, floor: float, warmup: float) -> float:
    """Return the rate once the share `done`, 0 … 1, of the training is behind. `warmup` is a share as well.

    >>> learning_rate("linear", 0.5, peak=0.3, floor=0.1, warmup=0.0)
    0.2
    """
    if done < warmup:
        return floor + (peak - floor) * done / warmup
    rest = (done - warmup) / (1 - warmup) if warmup < 1 else 0.0
    return floor + (peak - floor) * SCHEDULES[schedule](min(rest, 1.0))
