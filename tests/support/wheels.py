"""Wheels that are built and installed as a user would, without a network."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.support.paths import PROJECT

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
HERE = Path(sysconfig.get_path("purelib"))


def build(folder: Path, *, of: str = ".") -> Path:
    """Build the wheel of a copy: the build leaves its work beside the source, and would find there what was removed."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=PROJECT / of, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in listed:
        if (PROJECT / of / name).is_file() and not name.startswith(("docs/", "tests/", "benchmarks/")):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / of / name, folder / "source" / name)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", folder]
    subprocess.run([*PIP, "wheel", *options, folder / "source"], check=True)
    (built,) = folder.glob("*.whl")
    return built


def environment(folder: Path, wheel: Path, packages: list[str] | None = None) -> Path:
    """Make an environment with the wheel, and of the packages that are installed here these or all; its programs.

    The line in a .pth file brings all packages, but not the checkout, which is importable by a .pth file itself.
    """
    venv.create(folder, symlinks=True)
    place = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    if packages is None:
        (place / "lock.pth").write_text(f"{HERE}\n")
    for name in packages or []:
        (place / name).symlink_to(HERE / name)
    options = ["--no-deps", "--no-index", "--quiet"]
    subprocess.run([*PIP, "--python", folder / "bin" / "python", "install", *options, wheel], check=True)
    return folder / "bin"
