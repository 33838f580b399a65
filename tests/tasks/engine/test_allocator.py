"""Freed memory is kept for the next part, or returned to the system before the next stage."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sets the allocator of Linux")

PIECES = 10
FAULTS = f"""
import resource
from tasks.engine import allocator
allocator.SETTING()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({PIECES}):
    b"x" * (16 << 20)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / (16 << 20))
"""
RETURNED = """
import psutil
from tasks.engine import allocator
allocator.give_back()
pieces = [b"x" * (100 << 10) for _ in range(1000)]
last = b"x" * 1000
before = psutil.Process().memory_info().rss
del pieces
allocator.give_back()
print((before - psutil.Process().memory_info().rss) / (100 << 20))
"""


def said(program: str) -> float:
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def test_a_worker_clears_a_page_once() -> None:
    """Ten pieces of 16 MB, one after the other, cost the pages of one or two in a worker, and of ten in a command."""
    cleared = {setting: said(FAULTS.replace("SETTING", setting)) for setting in ("keep", "give_back")}

    assert cleared["keep"] < 3
    assert cleared["give_back"] > PIECES - 2


def test_a_stage_returns_what_the_last_one_kept() -> None:
    """Of 100 MB in small pieces, below one that is still used, nearly all are returned."""
    assert said(RETURNED) > 0.8
