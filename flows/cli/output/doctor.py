"""Check this machine, and print what a bug report should contain."""

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from flows.cli.output.shapes import Checked, Finding, print_json
from flows.service.state import Place
from tasks.engine.outputs.readiness import address_of
from tasks.engine.outputs.remote import RACES, opened, prove
from tasks.engine.waiting import scaled
from tasks.errors import StoreError

PACKAGES = ("prefect", "mlflow", "numpy", "scipy", "pyarrow", "pandas", "pydantic", "fastapi", "sqlalchemy")
ENOUGH_DISK = 2e9  # bytes; the quickstart needs a tenth of this


def examine(workspace: Path, remote: str = "", as_json: bool = False) -> int:
    """Print one line a finding; return the exit code, 1 if something must be fixed."""
    findings = [*_findings(workspace), *_remote(remote or address_of(workspace))]
    whole = all(good for good, _, _ in findings)
    if as_json:
        each = [Finding(good=good, subject=subject, finding=finding) for good, subject, finding in findings]
        print_json(Checked(good=whole, findings=each))
    else:
        for good, subject, finding in findings:
            print(f"{'✓' if good else '✗'} {subject:<11} {finding}")
    return int(not whole)


def _findings(workspace: Path) -> list[tuple[bool, str, str]]:
    return [
        (sys.version_info >= (3, 11), "Python", f"{platform.python_version()} on {platform.platform()}"),
        *(_package(name) for name in PACKAGES),
        (True, "cores", f"{os.cpu_count()}, load {os.getloadavg()[0]:.1f}"),
        (True, "memory", f"{psutil.virtual_memory().available / 1e9:.1f} GB available"),
        *_blas(),
        _disk(workspace),
        *_servers(workspace),
    ]


def _package(name: str) -> tuple[bool, str, str]:
    try:
        return True, name, version(name)
    except PackageNotFoundError:
        return False, name, "not installed: run `make retrain` again, or pip install --requirement requirements.lock"


def _blas() -> list[tuple[bool, str, str]]:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))  # loads the library
    kinds = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [
        (
            True,
            "BLAS",
            f"{b['internal_api']} {b['version']}, kernel {b.get('architecture')}, {b['num_threads']} threads",
        )
        for b in kinds
    ]


def _disk(workspace: Path) -> tuple[bool, str, str]:
    place = next(folder for folder in (workspace.absolute(), *workspace.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    writable = os.access(place, os.W_OK)
    finding = f"{free / 1e9:.1f} GB free at {place}" + ("" if writable else ", which cannot be written")
    return writable and free > ENOUGH_DISK, "disk", finding


def _servers(workspace: Path) -> list[tuple[bool, str, str]]:
    """Check the servers named in the environment, else those of `w2v up`."""
    up = Place(workspace).state
    prefect = os.environ.get("PREFECT_API_URL") or (f"{up.prefect}/api" if up else None)
    mlflow = os.environ.get("MLFLOW_TRACKING_URI") or (up.mlflow if up else None)
    return [
        _server("Prefect", prefect, "/health", "no server is set or up: commands start a temporary one"),
        _server("MLflow", mlflow, "/health", "no server is set or up: runs are in SQLite in the workspace"),
    ]


def _server(name: str, address: str | None, health: str, absent: str) -> tuple[bool, str, str]:
    if not address or not address.startswith("http"):
        return True, name, address or absent
    import httpx

    try:
        answer = httpx.get(address.rstrip("/") + health, timeout=scaled(5))
        return answer.is_success, name, f"{address} answers {answer.status_code}"
    except httpx.HTTPError as error:
        return False, name, f"{address} does not answer ({type(error).__name__}): start it, or unset its variable"


def _remote(address: str) -> list[tuple[bool, str, str]]:
    """Prove that the remote honours put-if-absent, alone and in races of several writers."""
    if not address:
        return [(True, "remote", "no store is shared with other machines (runtime.remote)")]
    try:
        prove(opened(address), races=RACES)
    except StoreError as error:
        return [(False, "remote", str(error).replace("\n", "\n  "))]
    return [(True, "remote", f"{address} answers, and keeps the first of several objects of one name")]
