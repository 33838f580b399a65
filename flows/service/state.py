"""The folder `<workspace>/service`: the service's lock, its state, its credentials and its log.

The service is the process that holds the lock. A lock ends with its process, however that ends, so nothing is stale
after a crash of the machine; the other files count only while the lock is held.
"""

import getpass
import json
import os
import shlex
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from filelock import FileLock, Timeout

from flows.access import credentials
from flows.access.network import LOOPBACK, MLFLOW_PASSWORD, PREFECT_PASSWORD
from tasks.datasets.files import undamaged
from tasks.errors import PipelineError

URI = "MLFLOW_TRACKING_URI"
SAME_START = 2.0  # seconds: a process's start time is computed from the boot time, which moves when the clock is set
ATTEMPTS = "prefect-workspace-attempt-*"  # the folders in which Prefect's worker keeps flow runs' environments
MARK = "W2V_SERVICE"  # a variable in the environment of all processes of the service; its value is the folder


@dataclass
class Life:
    """A part's current process, and how the last one ended."""

    pid: int  # 0 until the part is restarted
    since: float
    starts: int = 1
    ended: str = ""


@dataclass
class State:
    """The state that the service writes, for commands of the same account."""

    prefect: str  # the servers' addresses, as seen from this machine
    mlflow: str
    pid: int
    since: float  # the start of its process
    asks: list[str]  # the variables with passwords that commands need
    ready: bool = False  # True once every part has answered
    lives: dict[str, Life] = field(default_factory=dict)
    workspace: str = ""  # its path when the service was started

    def is_at(self, address: str, server: str) -> bool:
        """Return True if the address is that server's, by any name of this machine."""
        try:
            named, own = urlsplit(address), urlsplit(server)
            return named.port == own.port and named.hostname in {own.hostname, "localhost", LOOPBACK}
        except ValueError:  # the address of a database, whose password has brackets
            return False

    @property
    def pages(self) -> dict[str, str]:
        """Return the servers' first pages; MLflow's leads to the table of runs: flows/servers/front.py."""
        return {"prefect": self.prefect, "mlflow": f"{self.mlflow}/"}

    @property
    def process(self) -> psutil.Process:
        """Return the supervisor's process. Raises PipelineError if it runs on another host or in a container."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.since) < SAME_START:
                return process
        except psutil.NoSuchProcess:
            pass
        raise PipelineError(
            f"the service is process {self.pid} of another host or container\nStop it there, with `w2v down`."
        )


class Place:
    """The service's folder in a workspace."""

    def __init__(self, workspace: Path) -> None:
        self.folder = workspace.absolute() / "service"
        self.log = self.folder / "log"
        self.temporary = self.folder / "tmp"  # TMPDIR of all processes of the service
        self._state = self.folder / "state.json"

    @property
    def lock(self) -> FileLock:
        """Return the lock that the service holds, and make its folder."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        return FileLock(self.folder / ".lock")

    @property
    def held(self) -> bool:
        """Return True if the service runs, also in a container that shares the folder."""
        if not self.folder.is_dir():
            return False
        try:
            with self.lock.acquire(timeout=0):
                return False
        except Timeout:
            return True
        except PermissionError as error:
            raise self._not_ours() from error

    @property
    def state(self) -> State | None:
        """Return the service's state, or None if it does not run or has not started its parts yet."""
        if not self.held or not self._state.exists():
            return None
        way = "Stop the process `-m flows.service.supervisor` of this workspace, then run `w2v up`."
        with undamaged(self._state, way):
            said = json.loads(self._state.read_text(encoding="utf-8"))
            lives = {name: Life(**life) for name, life in said.pop("lives").items()}
            return State(**said, lives=lives)

    def write(self, state: State) -> None:
        """Write the state atomically."""
        beside = self._state.with_name("state.json.partial")
        beside.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
        os.replace(beside, self._state)

    def links(self, state: State) -> dict[str, str]:
        """Return the pages with the key that logs a browser in; without, if MLflow checks its users' passwords."""
        return {name: self.link(state, name, page) for name, page in state.pages.items()}

    def link(self, state: State, server: str, page: str) -> str:
        """Return a page of one of our servers with the key; any other page, or without a key, as it is."""
        ours = page.startswith({"prefect": state.prefect, "mlflow": state.mlflow}[server])
        if not ours or (server == "mlflow" and MLFLOW_PASSWORD in state.asks):
            return page
        return credentials.lock(server, credentials.read(self.folder)).link(page)

    def shut(self, database: str) -> None:
        """Make the service's files, present and future, unreadable for other accounts."""
        os.umask(0o077)
        try:
            self.folder.chmod(0o700)
        except PermissionError as error:
            raise self._not_ours() from error
        home, tables = self.folder.parent / "prefect", self.folder.parent / "mlflow.db"
        if database.startswith("sqlite:///"):
            tables = Path(database.removeprefix("sqlite:///"))
        for each in [home, *home.glob("*.db*"), *tables.parent.glob(f"{tables.name}*"), *self.folder.iterdir()]:
            with suppress(PermissionError, FileNotFoundError):  # an older file of another account, or just deleted
                each.chmod(0o700 if each.is_dir() else 0o600)

    def enter(self, state: State) -> None:
        """Put the service's credentials into the environment, unless it names another server."""
        for name, word in credentials.read(self.folder).items():
            address, server = ("PREFECT_API_URL", state.prefect) if name == PREFECT_PASSWORD else (URI, state.mlflow)
            if name != credentials.KEY and state.is_at(os.environ.get(address, server), server):
                os.environ[name] = word

    def _not_ours(self) -> PipelineError:
        return PipelineError(
            f"{self.folder} is the service of another account\nexpected  a folder of {getpass.getuser()}\n"
            f"found     one of {self.folder.owner()}\nUse a workspace of your own: --set runtime.workspace=FOLDER."
        )

    def clear(self) -> None:
        """Delete the state."""
        self._state.unlink(missing_ok=True)

    def sweep(self, pattern: str = "") -> None:
        """Delete the temporary folder, or what matches the pattern in it.

        Prefect's worker writes the environment of each flow run there, with passwords, and leaves it if it is killed.
        """
        for left in self.temporary.glob(pattern) if pattern else [self.temporary]:
            shutil.rmtree(left, ignore_errors=True)

    def former(self, state: State) -> Path | None:
        """Return the path that the workspace had when the service started, if it has moved since; else None."""
        known, here = Path(state.workspace), self.folder.parent
        if not state.workspace or known == here or (known.exists() and known.samefile(here)):
            return None
        return known

    def processes(self) -> list[psutil.Process]:
        """Return all running processes that the service has started, directly or indirectly."""
        return [process for process in psutil.process_iter() if _mark(process) == str(self.folder)]


def clock(seconds: float) -> str:
    """Format a time in the machine's time zone, with the zone's name."""
    return time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(seconds))


def _mark(process: psutil.Process) -> str:
    try:
        return str(process.environ().get(MARK))
    except (psutil.Error, OSError):  # a process of another user, or one that has just ended
        return ""


def join(workspace: Path) -> None:
    """Use the servers of the workspace's service, if it is up, unless the user names others.

    Raises PipelineError if the workspace was moved, or the environment lacks passwords that the service needs.
    """
    place = Place(workspace)
    state = place.state
    if not state or not state.ready:
        return
    if former := place.former(state):
        raise PipelineError(
            f"{workspace}: the workspace was moved, or is mounted elsewhere, while its service runs\n"
            f"expected  {former}, where the service was started\nfound     {place.folder.parent}\n"
            f"Stop the service with `w2v down --workspace {shlex.quote(str(workspace))}`, then run `w2v up`."
        )
    os.environ.setdefault("PREFECT_API_URL", f"{state.prefect}/api")
    os.environ.setdefault(URI, state.mlflow)
    place.enter(state)
    if missing := [name for name in state.asks if not os.environ.get(name)]:
        raise PipelineError(
            f"the service of {workspace} needs a password\nSet {' and '.join(missing)} to the values used for `w2v up`."
        )
