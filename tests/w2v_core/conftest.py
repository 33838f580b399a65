"""The core is tested more strictly than it runs: any overflow, underflow, division by zero or NaN is an error."""

from collections.abc import Iterator

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def strict_arithmetic() -> Iterator[None]:
    with np.errstate(all="raise"):
        yield
