"""Which engine runs the calls of a stage: the config's, else the one that pays on this machine."""

import os
import socket
from importlib.util import find_spec
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from configs.loading import ConfigError
from configs.schema import Runtime

MANY = 8  # calls at once, from which a process a core pays
PROCESS = 100e6  # bytes of memory of a worker process without a part
PART = 150e6  # bytes of memory for a part at work


class Choice(NamedTuple):
    """An engine, and how many calls it runs at once."""

    engine: str
    workers: int  # 0 for a cluster that runs already: it has workers of its own

    @property
    def memory(self) -> float:
        """Return the bytes of memory that each worker needs, beside those of the command."""
        return PART + (0 if self.engine == "threads" else PROCESS)

    @property
    def described(self) -> str:
        """Return the engine, its workers and their memory, for plan, status and reports."""
        return f"{self} at the preparation of the text, ~{self.memory / 1e6:,.0f} MB each"

    def __str__(self) -> str:
        if not self.workers:
            return f"{self.engine}, the workers of its cluster"
        one, many = {"threads": ("thread", "threads"), "processes": ("process", "processes")}.get(
            self.engine, ("worker", "workers")
        )
        return f"{self.workers} {one if self.workers == 1 else many}" + (" of Dask" if self.engine == "dask" else "")


def choice(runtime: Runtime, calls: int) -> Choice:
    """Return the engine for so many calls at once: the config's; else processes if there are cores and enough calls."""
    cores = runtime.threads or os.cpu_count() or 1
    engine = runtime.engine or ("processes" if cores > 2 and calls >= MANY else "threads")
    return Choice(engine, 0 if runtime.engine_address else runtime.workers or cores)


def check(runtime: Runtime) -> None:
    """Raise ConfigError if the engine cannot be used as the config says; start nothing."""
    if runtime.engine != "dask":
        return
    if find_spec("distributed") is None:
        raise ConfigError(
            "runtime.engine = 'dask'\nexpected  the extra `dask`\nfound     no package `distributed`\n"
            "Install it: pip install 'w2v-retraining[dask]'. Or choose another engine."
        )
    if runtime.engine_address and not runtime.remote and not _here(runtime.engine_address):
        raise ConfigError(
            f"runtime.engine_address = {runtime.engine_address!r}\n"
            "expected  runtime.remote, a store that this host shares with the workers of another one\n"
            "found     none\nSet it, such as --set runtime.remote=s3://bucket/prefix."
        )


def _here(address: str) -> bool:
    """Return True if an address is one of this host."""
    host = urlsplit(address).hostname or ""
    own = {each.address for every in psutil.net_if_addrs().values() for each in every}
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found & own)
