"""Return freed memory to the system, or keep it: what the system gives again, it clears again, page by page.

Arrow's own allocator and glibc's both keep freed memory for a while, and over the stages of one process that adds up:
with their defaults and 16 MB of text in a shard, the benchmark's peak on 40 MB of text was 470 MB. So Arrow uses the
system's allocator (tasks/__init__.py), which is set here to release large pieces at once. How large decides the time:
with 256 KB, clearing pages was a third of the processor time of preparing 100 MB of text (8.5 of 26.2 s).
"""

import ctypes
import functools
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of mallopt(3)
OF_A_COMMAND = 1 << 22  # bytes; larger pieces are released at once
OF_A_WORKER = 1 << 25  # the most that glibc allows: a worker makes one part after the other, all alike


def give_back() -> None:
    """Return the memory that is free now, which the next stage cannot use, and from now on large pieces at once.

    Does nothing on other systems than Linux with glibc.
    """
    if libc := _set(OF_A_COMMAND):
        libc.malloc_trim(0)


def keep() -> None:
    """Keep freed memory for the next call, in a process that ends soon after its last one."""
    _set(OF_A_WORKER)


@functools.cache
def _set(large: int) -> ctypes.CDLL | None:
    """Set glibc's allocator, and return it; do nothing with another one."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "malloc_trim"):
        return None
    libc.mallopt(M_MMAP_THRESHOLD, large)
    libc.mallopt(M_TRIM_THRESHOLD, large)
    libc.mallopt(M_ARENA_MAX, 1)
    return libc
