"""Programs that load exports and are too large for the lock: each test installs its own into an environment.

The variable W2V_CONSUMERS names a folder where the environments are kept for the next time.
"""

import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest


def installed(folder: Path, *packages: str) -> Path:
    """Return the Python of a new environment with the packages; skip the test if they cannot be had."""
    folder = Path(os.environ.get("W2V_CONSUMERS", folder)) / packages[0]
    python = folder / "bin" / "python"
    if python.exists():
        return python
    venv.create(folder, with_pip=True)
    options = ["--disable-pip-version-check", "--quiet", "--only-binary", ":all:"]
    done = subprocess.run([python, "-m", "pip", "install", *options, *packages], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(folder)
        pytest.skip(f"{' '.join(packages)} cannot be installed: {(done.stderr.splitlines() or ['no reason'])[-1]}")
    return python


def said(python: Path, code: str, *words: str | Path) -> str:
    """Return what the code prints in that environment, without a network for what it might look up."""
    offline = {"HF_HUB_OFFLINE": "1", "PATH": f"{python.parent}:/usr/bin:/bin"}
    done = subprocess.run([python, "-c", code, *words], capture_output=True, text=True, env=offline)

    assert done.returncode == 0, done.stderr
    return done.stdout
