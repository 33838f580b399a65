"""Temporary files, ours and those of MLflow, Matplotlib and Prefect: in `<workspace>/tmp/<host>-<pid>-<start>`.

The folder is deleted when its process ends; if the process was killed, the next start deletes it. If the workspace
does not exist or is not writable, the folder lies in the system's temporary directory and is deleted in the same way.
"""

import atexit
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tasks.engine import environment as engine_environment
from tasks.engine.environment import Owner

FOLDER, ELSEWHERE = "tmp", "w2v-tmp"  # in the workspace; among the system's temporary files
NAME = re.compile(r"(?P<host>.*)-(?P<pid>\d+)-(?P<started>\d+)")
FORGOTTEN = 7 * 24 * 3600  # seconds after which another host's folder is deleted: we cannot see its processes
MATPLOTLIB = "MPLCONFIGDIR"  # folder of Matplotlib's list of fonts, which takes seconds to make


def settle(workspace: Path) -> None:
    """Use the temporary folder from now on, until this process ends."""
    using = used(workspace)
    using.__enter__()
    atexit.register(using.__exit__, None, None, None)


@contextmanager
def used(workspace: Path) -> Iterator[None]:
    """Within the block, make this process and its children write their temporary files to the folder."""
    folder = None if _active() else _make(workspace)
    if folder is None:
        yield
        return
    names = {"TMPDIR": str(folder)}
    if MATPLOTLIB not in os.environ:
        names[MATPLOTLIB] = str(_fonts(folder, workspace))
    environment = {name: os.environ.get(name) for name in names}
    former = tempfile.tempdir
    os.environ |= names
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = former
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _remove(folder)


def outer() -> dict[str, str]:
    """Return the environment without the temporary folder, for a process that outlives this one."""
    return {name: value for name, value in os.environ.items() if not (name in ("TMPDIR", MATPLOTLIB) and _active())}


def _active() -> bool:
    return Path(tempfile.tempdir or "").name == _name(engine_environment.owner())


def _name(owner: Owner) -> str:
    return f"{owner.host}-{owner.pid}-{owner.started:.0f}"


def _make(workspace: Path) -> Path | None:
    """Create and return the folder; None if no place is writable, in which case the first file to be written fails."""
    places = [workspace.absolute() / FOLDER] if workspace.is_dir() else []
    for place in [*places, Path(tempfile.gettempdir()) / f"{ELSEWHERE}-{os.getuid()}"]:
        folder = place / _name(engine_environment.owner())
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(OSError):  # another process is deleting them too
                _sweep(place)
            return folder
    return None


def _sweep(place: Path) -> None:
    """Delete the folders of killed processes."""
    us = engine_environment.owner()
    for folder in place.iterdir():
        found = NAME.fullmatch(folder.name)
        if found and found["host"] == us.host:
            dead = not Owner(us.host, int(found["pid"]), float(found["started"])).alive
        else:
            dead = time.time() - folder.stat().st_mtime > FORGOTTEN
        if dead and not _in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _in_use(folder: Path) -> bool:
    """Return True if a child of the dead process still uses the folder."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get("TMPDIR") == str(folder):
                return True
    return False


def _remove(folder: Path) -> None:
    """Delete the folder, and those of others whose last user, such as a server, has ended since we started."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # other processes have folders in it
        _sweep(folder.parent)
        folder.parent.rmdir()


def _fonts(folder: Path, workspace: Path) -> Path:
    """Return a folder for Matplotlib, with a copy of the user's list of fonts if there is one."""
    place = workspace.absolute() / "matplotlib" if folder.parent.name == FOLDER else folder / "matplotlib"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    if not place.exists() and (lists := list(cache.glob("fontlist-*.json"))):
        with suppress(OSError):
            place.mkdir()
            for fonts in lists:
                shutil.copy(fonts, place)
    return place
