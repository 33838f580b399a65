"""A workspace that was moved or copied: MLflow's and Prefect's databases in it are told where they are now.

Both have absolute paths, from which MLflow would read, and to which it would write, wherever the folder is. Where it
was is told by the databases themselves, so a backup and a workspace of an earlier version need no mark of ours.
"""

import contextlib
import json
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from tasks.engine import environment
from tasks.engine.environment import Owner
from tasks.engine.file_lock import Held
from tasks.errors import StoreError
from tasks.tracking.database_paths import ARTIFACTS, DATABASE, artifact_address, artifact_folder

log = logging.getLogger("w2v")

WAIT = 60  # seconds for a database that another process writes to
LOST = 600  # seconds without a heartbeat after which a run of another host is dead: the default of runtime.lost_after
PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
    "datasets": ("dataset_source",),
    "trace_tags": ("value",),
    "workspaces": ("default_artifact_root", "trace_archival_location"),
}  # columns of MLflow's tables
COMING = {
    "deployment": ("parameters", "infra_overrides"),
    "deployment_schedule": ("parameters",),
    "flow_run": ("parameters", "job_variables"),
}  # columns of Prefect's: of what is still to run
OVER = "('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"
SERVICE = "W2V_SERVICE"  # in the environment of the service's own processes: its folder


class Move(NamedTuple):
    """Where the workspace was, as the database says it, and where it is."""

    before: str
    here: Path

    @property
    def folder(self) -> Path:
        """Where it was."""
        return Path(self.before) if self.misread else artifact_folder(self.before) or Path(self.before)

    @property
    def misread(self) -> Path | None:
        """Where MLflow has put its files instead: an earlier version told it a path such as `a%20b` as it is."""
        folder = artifact_folder(self.before)
        return folder if folder and self.before.startswith("/") and folder != Path(self.before) else None

    def apply(self, value: Any) -> Any:
        """The value of a column with each place in the workspace where it is now."""
        if not isinstance(value, str):
            return value
        if value[:1] not in ("{", "["):
            return _replaced(value, self.before, artifact_address(self.here))
        try:
            return json.dumps(self._within(json.loads(value)))
        except ValueError:
            return value

    def _within(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._within(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._within(each) for each in value]
        if not isinstance(value, str):
            return value
        before, here = str(self.folder), str(self.here)
        return _replaced(_replaced(value, before, here), f"sqlite:///{before}", f"sqlite:///{here}")


def relocate(folder: Path) -> None:
    """Change what the databases in the folder say of a place where it no longer is, and say so in one line.

    Each is changed in one transaction, MLflow's last: it alone says that the folder was moved. Does nothing where it
    was not, or where there is no database of MLflow's. Raises StoreError if a run or service is still at work in the
    folder under its former name, or the databases cannot be written.
    """
    here, database = folder.absolute(), folder.absolute() / DATABASE
    if not database.exists() or not _former(database, here):
        return
    try:
        with Held(f"{database}.lock"):
            for before in _former(database, here):
                move = Move(before, here)
                # of a copy, what is at work is so in the original
                if _same(move.folder, here) or not (move.folder / DATABASE).exists():
                    _refuse_at_work(move, database)
                if move.misread:
                    _fetch(move, move.misread, database)
                count = _change(here / "prefect" / "prefect.db", COMING, move) + _change(database, PLACES, move)
                _tell(move, count, database)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"{here}: the workspace was moved here, and {DATABASE} still names the place where it was\n"
            f"expected  a folder and databases that can be written\nfound     {error}\n"
            "Nothing was changed. Make them writable, or copy the workspace to where it may be written."
        ) from error


def _former(database: Path, here: Path) -> list[str]:
    """Where the database says that its workspace is, if that is elsewhere."""
    with closing(_reading(database)) as reading:
        try:
            said = [row[0] for row in reading.execute("SELECT DISTINCT artifact_location FROM experiments")]
            found = dict.fromkeys(filter(None, map(_workspace, filter(None, said))))
            return [before for before in found if _is_former(before, here, reading)]
        except sqlite3.Error:  # no database of MLflow's, or damaged or locked: MLflow says so itself
            return []


def _workspace(location: str) -> str | None:
    """Of `W/mlartifacts`, or `W/mlartifacts/7` as a server makes it."""
    place, _, last = location.rpartition("/")
    if last.isdecimal():
        place, _, last = place.rpartition("/")
    return place if last == ARTIFACTS and artifact_folder(location) else None


def _is_former(before: str, here: Path, reading: sqlite3.Connection) -> bool:
    """Not if it is this folder by another name, nor a place that somebody has chosen for an experiment's files."""
    if before == artifact_address(here):
        return False
    folder = artifact_folder(before)
    if Move(before, here).misread:
        return True
    if folder is None or _same(folder, here):
        return False
    if (folder / DATABASE).exists() or not (folder / ARTIFACTS).exists():
        return True
    return any((here / rest).exists() for rest in _rests(reading, before))


def _rests(reading: sqlite3.Connection, before: str) -> Iterator[str]:
    """Where below the workspace the files of each run are."""
    for (place,) in reading.execute("SELECT artifact_uri FROM runs WHERE artifact_uri IS NOT NULL"):
        if place.startswith(f"{before}/"):
            yield place.removeprefix(f"{before}/")


def _change(database: Path, columns: dict[str, tuple[str, ...]], move: Move) -> int:
    if not database.exists():
        return 0
    changed = 0
    with closing(sqlite3.connect(database, timeout=WAIT, isolation_level=None)) as writing:
        writing.create_function("moved", 1, move.apply, deterministic=True)
        writing.execute("BEGIN IMMEDIATE")
        try:
            for table, names in columns.items():
                known = {row[1] for row in writing.execute(f'PRAGMA table_info("{table}")')}
                open_only = f" AND state_type NOT IN {OVER}" if table == "flow_run" else ""
                for name in known.intersection(names):
                    statement = f"UPDATE {table} SET {name} = moved({name}) WHERE {name} != moved({name}){open_only}"
                    changed += writing.execute(statement).rowcount
            writing.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                writing.execute("ROLLBACK")
            raise
    return changed


def _refuse_at_work(move: Move, database: Path) -> None:
    """Raises StoreError if the folder is in use under its former name."""
    what = _service(move.here) or _run(database)
    if what:
        raise StoreError(
            f"{move.here}: {what} is at work in this workspace, which it knows as {move.folder}\n"
            "expected  a workspace that is moved, or mounted under another path, while nothing works in it\n"
            "End it first (`w2v down` ends the service), or give the folder its former path."
        )


def _service(here: Path) -> str:
    lock = here / "service" / ".lock"
    if not lock.exists() or os.environ.get(SERVICE) == str(here / "service"):
        return ""
    try:
        with FileLock(lock).acquire(timeout=0):
            return ""
    except Timeout:
        return "the service"


def _run(database: Path) -> str:
    with closing(_reading(database)) as reading:
        running = [row[0] for row in reading.execute("SELECT run_uuid FROM runs WHERE status = 'RUNNING'")]
        asked = "SELECT key, value FROM tags WHERE run_uuid = ?"
        every = {each: dict(reading.execute(asked, [each]).fetchall()) for each in running}
    return next((f"run {each}" for each, tags in every.items() if _alive(tags)), "")


def _alive(tags: dict[str, str]) -> bool:
    """By its process where that can be seen, else by its last heartbeat."""
    from tasks.tracking import heartbeat, ownership

    if ownership.HOST not in tags:
        return False
    if tags[ownership.HOST] == environment.owner().host:
        owner = Owner(tags[ownership.HOST], int(tags[ownership.PID]), float(tags[ownership.STARTED]))
        return owner.alive
    beat = tags.get(heartbeat.BEAT)
    return bool(beat) and time.time() - datetime.fromisoformat(str(beat)).timestamp() < LOST


def _fetch(move: Move, misread: Path, database: Path) -> None:
    """Copy the files of runs from where MLflow has put them; those of others are left there."""
    with closing(_reading(database)) as reading:
        rests = [rest for rest in _rests(reading, move.before) if (misread / rest).exists()]
    for rest in rests:
        there, beside = move.here / rest, move.here / f"{rest}.partial"
        if not there.exists():
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(misread / rest, beside)
            beside.rename(there)
    if rests:
        log.warning("The files of %d runs were copied from %s, where MLflow had put them", len(rests), misread)


def _tell(move: Move, count: int, database: Path) -> None:
    if move.folder == move.here:
        log.warning("workspace %s: %d places written as MLflow reads them", move.here, count)
    else:
        log.warning("workspace moved from %s to %s: %d places relocated", move.folder, move.here, count)
    with closing(_reading(database)) as reading:
        rests = list(_rests(reading, artifact_address(move.here)))
    left = sum(not (move.here / rest).exists() and (move.folder / rest).exists() for rest in rests)
    if left:
        log.warning("The files of %d runs are still there: copy %s/%s here", left, move.folder, ARTIFACTS)


def _replaced(text: str, before: str, after: str) -> str:
    return after + text.removeprefix(before) if text == before or text.startswith(f"{before}/") else text


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _reading(database: Path) -> sqlite3.Connection:
    """Writable where it can be, or what a killed process has half written could not be undone."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=WAIT)
