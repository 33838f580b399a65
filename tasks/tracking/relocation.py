"""Relocation of a workspace that was moved or copied: update the paths in MLflow's and Prefect's databases in it.

Both databases hold absolute paths, which MLflow would read from and write to, wherever the folder is now. The former
place is read from the databases themselves, so a backup, or a workspace of an earlier version, needs no mark.
"""

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.engine import environment
from tasks.engine.environment import Owner
from tasks.engine.file_lock import Held
from tasks.errors import StoreError
from tasks.refusals import LOCKED, cause
from tasks.tracking.database_lock import patiently
from tasks.tracking.database_paths import ARTIFACTS, DATABASE, artifact_address, artifact_folder
from tasks.tracking.moved import COMING, PLACES, SOON, WAIT, Move, change

log = logging.getLogger("w2v")

LOST = 600  # seconds without a heartbeat after which a run of another host is dead: the default of runtime.lost_after
SERVICE = "W2V_SERVICE"  # variable of the service's own processes: the service's folder


def relocate(folder: Path) -> None:
    """Update the paths in the databases of a workspace that was moved or copied, and log it in one line.

    Does nothing if it was not moved, or has no database of MLflow's. Each database is changed in one transaction,
    MLflow's last, as its paths tell that the workspace was moved. Waits for a locked one. Raises StoreError if a run or
    the service still works in the folder under its former name, or if the databases cannot be written.
    """
    here, database = folder.absolute(), folder.absolute() / DATABASE
    if not database.exists() or not _former_places(database, here):
        return
    try:
        with Held(f"{database}.lock"):
            for before in _former_places(database, here):
                move = Move(before, here)
                # In a copy, a process that looks at work is at work in the original.
                if _same(move.folder, here) or not (move.folder / DATABASE).exists():
                    _refuse_at_work(move, database)
                if move.misread:
                    _copy_misplaced(move, move.misread, database)
                count = change(here / "prefect" / "prefect.db", COMING, move) + change(database, PLACES, move)
                _log_move(move, count, database)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"{here}: the workspace was moved here, and {DATABASE} still names the place where it was\n"
            f"expected  a folder and databases that can be written\nfound     {error}\n"
            "Nothing was changed. Make them writable, or copy the workspace to a writable place."
        ) from error


def _former_places(database: Path, here: Path) -> list[str]:
    """Return the former places of the workspace that the database names."""
    return patiently(str(database), lambda: _read_former_places(database, here))


def _read_former_places(database: Path, here: Path) -> list[str]:
    with closing(_reading(database, SOON)) as reading:
        try:
            said = [row[0] for row in reading.execute("SELECT DISTINCT artifact_location FROM experiments")]
            found = dict.fromkeys(filter(None, map(_workspace, filter(None, said))))
            return [before for before in found if _is_former(before, here, reading)]
        except sqlite3.Error as error:
            if cause(error) == LOCKED:
                raise
            return []  # not MLflow's, or damaged: MLflow reports it itself


def _workspace(location: str) -> str | None:
    """Return the workspace W of an address `W/mlartifacts`, or `W/mlartifacts/7` as a server creates it."""
    place, _, last = location.rpartition("/")
    if last.isdecimal():
        place, _, last = place.rpartition("/")
    return place if last == ARTIFACTS and artifact_folder(location) else None


def _is_former(before: str, here: Path, reading: sqlite3.Connection) -> bool:
    """Return True if the place is a former one: not this folder by another name, nor one chosen for an experiment."""
    if before == artifact_address(here):
        return False
    folder = artifact_folder(before)
    if Move(before, here).misread:
        return True
    if folder is None or _same(folder, here):
        return False
    if (folder / DATABASE).exists() or not (folder / ARTIFACTS).exists():
        return True
    return any((here / rest).exists() for rest in _places_of_runs(reading, before))


def _places_of_runs(reading: sqlite3.Connection, before: str) -> Iterator[str]:
    """Yield the path of each run's files relative to the workspace."""
    for (place,) in reading.execute("SELECT artifact_uri FROM runs WHERE artifact_uri IS NOT NULL"):
        if place.startswith(f"{before}/"):
            yield place.removeprefix(f"{before}/")


def _refuse_at_work(move: Move, database: Path) -> None:
    """Raise StoreError if the folder is in use under its former name."""
    what = _service(move.here) or _run(database)
    if what:
        raise StoreError(
            f"{move.here}: {what} is at work in this workspace, which it knows as {move.folder}\n"
            "expected  a workspace in which nothing is at work while it is moved or mounted under another path\n"
            "End it first (`w2v down` ends the service), or give the folder its former path."
        )


def _service(here: Path) -> str:
    """Return "the service" if it is at work here, "" if not; this process may belong to it."""
    lock = here / "service" / ".lock"
    if not lock.exists() or os.environ.get(SERVICE) == str(here / "service"):
        return ""
    try:
        with FileLock(lock).acquire(timeout=0):
            return ""
    except Timeout:
        return "the service"


def _run(database: Path) -> str:
    """Return "run ID" of a run that is alive, "" if there is none."""
    with closing(_reading(database)) as reading:
        running = [row[0] for row in reading.execute("SELECT run_uuid FROM runs WHERE status = 'RUNNING'")]
        asked = "SELECT key, value FROM tags WHERE run_uuid = ?"
        every = {each: dict(reading.execute(asked, [each]).fetchall()) for each in running}
    return next((f"run {each}" for each, tags in every.items() if _alive(tags)), "")


def _alive(tags: dict[str, str]) -> bool:
    """Return True if a run is alive: by its process on this host, by its last heartbeat on another."""
    from tasks.tracking import names

    if names.HOST not in tags:
        return False
    if tags[names.HOST] == environment.owner().host:
        owner = Owner(tags[names.HOST], int(tags[names.PID]), float(tags[names.STARTED]))
        return owner.alive
    beat = tags.get(names.BEAT)
    return bool(beat) and time.time() - datetime.fromisoformat(str(beat)).timestamp() < LOST


def _copy_misplaced(move: Move, misread: Path, database: Path) -> None:
    """Copy the files of this workspace's runs from where MLflow has put them; leave files of others there."""
    with closing(_reading(database)) as reading:
        rests = [rest for rest in _places_of_runs(reading, move.before) if (misread / rest).exists()]
    for rest in rests:
        there, beside = move.here / rest, move.here / f"{rest}.partial"
        if not there.exists():
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(misread / rest, beside)
            beside.rename(there)
    if rests:
        log.warning("The files of %d runs were copied from %s, where MLflow had put them", len(rests), misread)


def _log_move(move: Move, count: int, database: Path) -> None:
    """Log what was updated, and whether files of runs are still at the former place."""
    if move.folder == move.here:
        log.warning("workspace %s: %d places written as MLflow reads them", move.here, count)
    else:
        log.warning("workspace moved from %s to %s: %d places relocated", move.folder, move.here, count)
    with closing(_reading(database)) as reading:
        rests = list(_places_of_runs(reading, artifact_address(move.here)))
    left = sum(not (move.here / rest).exists() and (move.folder / rest).exists() for rest in rests)
    if left:
        log.warning("The files of %d runs are still there: copy %s/%s here", left, move.folder, ARTIFACTS)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _reading(database: Path, timeout: float = WAIT) -> sqlite3.Connection:
    """Open the database, for writing where possible: SQLite must roll back what a killed process has half written."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=timeout)
