"""The environment of a result: the code's commit, the packages, the processor and its BLAS, and the process itself."""

import functools
import getpass
import os
import platform
import shlex
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from configs.addresses import shown
from tasks.datasets.files import digest_of_file
from tasks.engine.waiting import scaled

SOURCE = Path(__file__).parents[2]
MODULE = (sys.executable, "-P", "-m")  # of ours, or of a dependency: the working directory may have others of its name
SAME_START = 2.0  # seconds: a process's start is computed from the boot time, which changes when the clock is set


class Owner(NamedTuple):
    """A process, identified even after its number is reused."""

    host: str
    pid: int
    started: float  # seconds since 1970, as psutil reports it

    @property
    def alive(self) -> bool:
        """Return True if the process still runs. It must be a process of this host."""
        try:
            process = psutil.Process(self.pid)
            return bool(abs(process.create_time() - self.started) < SAME_START)
        except psutil.NoSuchProcess:
            return False


def owner() -> Owner:
    """Return this process."""
    return Owner(socket.gethostname(), os.getpid(), psutil.Process().create_time())


def command() -> str:
    """Return the command line of this process, quoted for a shell and without the secrets of addresses."""
    return shlex.join([Path(sys.argv[0]).name, *map(shown, sys.argv[1:])])


def user() -> str:
    """Return the user's name, or the user's number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return str(os.getuid())


@functools.cache
def commit() -> dict[str, str]:
    """Return the commit of the code, and whether the folder differs from it; empty for an installed package."""
    head = _git("rev-parse", "HEAD")
    return {"commit": head, "dirty": str(bool(_git("status", "--porcelain"))).lower()} if head else {}


def describe() -> dict[str, Any]:
    """Return the whole environment as JSON values."""
    from tasks.engine import kernels  # imported here: it loads NumPy, which `owner` does not need

    return {
        "git": commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": {
            "model": _processor("model name") or platform.processor(),
            "features": sorted(_processor("flags").split()),
            "cores": psutil.cpu_count(logical=False),
            "threads": os.cpu_count(),
        },
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "kernels": kernels.kernels(),
        "blas": _blas(),
        "packages": _packages(),
        "lock": _lock(),
    }


def requirements(*names: str) -> list[str]:
    """Return `name==version` of each of these packages that is installed."""
    found = []
    for name in names:
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(SOURCE), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=scaled(10), check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _processor(what: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(what)), "")


@functools.cache
def _packages() -> dict[str, str]:
    return {d.name: d.version for d in sorted(distributions(), key=lambda d: d.name.lower())}


def _lock() -> str:
    """Return the digest of the lock file that the packages are installed from; empty for an installed package."""
    lock = SOURCE / "requirements.lock"
    return digest_of_file(lock) if lock.exists() else ""


def _blas() -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_info

    wanted = ("internal_api", "version", "architecture", "threading_layer", "num_threads")
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    named = [{"library": Path(pool["filepath"]).name} | {key: pool.get(key) for key in wanted} for pool in pools]
    return sorted(named, key=lambda each: each["library"])
