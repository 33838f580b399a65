"""Random streams with addresses: the same address always gives the same stream.

Nothing is drawn from one long sequence, so a retry, a resumption, another order or more workers repeat the same draws.
"""

from hashlib import blake2b

import numpy as np


def generator(seed: int, stage: str, *place: int) -> np.random.Generator:
    """Return the generator of the address (seed, stage, place), where place is (epoch, shard, batch …).

    >>> generator(1, "windows", 0, 3).integers(1000) == generator(1, "windows", 0, 3).integers(1000)
    np.True_
    """
    # The stage's name goes in as a digest, as Python's own hash of a string changes from process to process.
    stage_number = int.from_bytes(blake2b(stage.encode(), digest_size=8).digest(), "little")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, stage_number, *place])))
