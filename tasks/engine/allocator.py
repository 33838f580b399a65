"""Give memory back once it is free: a stage's buffers are no use to the next one.

Arrow's own allocator and glibc's both keep what was freed for a while, and over the stages of one process that adds
up: the benchmark's peak on 40 MB of text was 470 MB with their defaults, with 16 MB of text in a shard. So Arrow uses
the system's allocator (tasks/__init__.py), and that one is told not to hold on to large pieces.
"""

import ctypes
import functools
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of mallopt(3)
LARGE = 1 << 18  # bytes; larger pieces go back to the system at once


@functools.cache
def give_back() -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(M_TRIM_THRESHOLD, LARGE)
        libc.mallopt(M_ARENA_MAX, 1)
