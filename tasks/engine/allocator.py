"""Return freed memory to the system: the next stage cannot use this stage's buffers.

Arrow's own allocator and glibc's both keep freed memory for a while, and over the stages of one process that adds up:
with their defaults and 16 MB of text in a shard, the benchmark's peak on 40 MB of text was 470 MB. So Arrow uses the
system's allocator (tasks/__init__.py), which is set here to release large pieces at once.
"""

import ctypes
import functools
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of mallopt(3)
LARGE = 1 << 18  # bytes; larger pieces are released at once


@functools.cache
def give_back() -> None:
    """Set glibc's allocator to release freed memory. Does nothing on other systems than Linux."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(M_TRIM_THRESHOLD, LARGE)
        libc.mallopt(M_ARENA_MAX, 1)
