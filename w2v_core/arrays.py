"""The kinds of array that the core takes; a module that needs no more than these does not import SciPy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]  # float32; float64 in gradient checks
Integers = NDArray[np.integer]
