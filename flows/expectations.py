"""What running a stage is expected to take: rows, disk, memory and time, from its inputs' sizes and measured rates.

The rates were measured on two cores of a 2023 server (docs/benchmarks.md); read the results as orders of magnitude.
"""

from typing import NamedTuple

INFLATION = {".gz": 3.2, ".bz2": 4.0, ".xz": 4.1, ".zst": 3.2, ".zip": 3.2}  # of English text
BYTES_A_WORD = 6.0
BASE_MEMORY = 400e6  # the interpreter with its libraries
# per second, on two cores
TEXT_BYTES, TOKENIZED_WORDS, COUNTED_WORDS, DRAWN_WORDS, LEARNT_WORDS = 30e6, 4e6, 10e6, 8e6, 1e6


class Expected(NamedTuple):
    rows: float
    disk: float  # bytes
    memory: float  # bytes at the peak
    seconds: float
