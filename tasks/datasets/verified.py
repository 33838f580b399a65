"""Notes of what was verified: a file whose bytes had the right digest has it still while nothing about it has changed.

Beside an output's manifest, `verified.json` holds for each host the start of its system and, of each file, its size,
its number and the times of its last changes. Where all of that is as noted, a look-up reads no file. After the system
has started again, which is after every crash that could lose what was written, the first look-up reads all bytes once.
`w2v verify` always does.
"""

import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

NOTE = "verified.json"
BOOT = Path("/proc/sys/kernel/random/boot_id")  # of Linux; elsewhere every look-up reads all bytes
BLUNT = 20_000_000  # nanoseconds within which two changes of a file may get the same time


def noted(folder: Path, names: Sequence[str]) -> bool:
    """Return True if these files were verified on this host since its start, and none has changed since."""
    try:
        note = json.loads((folder / NOTE).read_bytes())[socket.gethostname()]
        return bool(note["boot"]) and note["boot"] == _boot() and note["files"] == _files(folder, names)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def note(folder: Path, names: Sequence[str]) -> None:
    """Note that these files have just been verified. Do nothing where nothing can be written.

    A file that changed a moment ago is not noted: a further change might get the same time.
    """
    with suppress(OSError):
        if not names:
            return
        files = _files(folder, names)
        latest = max((max(times) for _, _, *times in files.values()), default=0)
        if time.time_ns() - latest < BLUNT:
            return
        beside = folder / f"{NOTE}.{os.getpid()}.partial"
        beside.write_text(json.dumps({**_others(folder), socket.gethostname(): {"boot": _boot(), "files": files}}))
        os.replace(beside, folder / NOTE)


def _files(folder: Path, names: Sequence[str]) -> dict[str, list[int]]:
    found = {name: (folder / name).stat() for name in names}
    return {name: [s.st_size, s.st_ino, s.st_mtime_ns, s.st_ctime_ns] for name, s in found.items()}


def _others(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / NOTE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _boot() -> str:
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""
