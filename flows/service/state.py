"""The folder `<workspace>/service`: whether the service runs, what it says of itself, and its log.

Whoever holds the lock is the service. A lock ends with its process, however that ends, so nothing is stale after a
crash of the machine; what the other files say counts only while the lock is held.
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
SAME_START = 2.0  # seconds: a process's start is computed from the boot time, which moves when the clock is set
ATTEMPTS = "prefect-workspace-attempt-*"  # what Prefect's worker calls the folder of a flow run's environment
MARK = "W2V_SERVICE"  # in the environment of all that the service has started: the folder


@dataclass
class Life:
    """Of a part: the process it has, and how the last one ended."""

    pid: int  # 0 until it is started again
    since: float
    starts: int = 1
    ended: str = ""


@dataclass
class State:
    """What the service says of itself, to its own account."""

    prefect: str  # addresses, for this machine
    mlflow: str
    pid: int
    since: float  # the start of its process
    asks: list[str]  # for these variables, which hold its passwords
    ready: bool = False  # everything has answered once
    lives: dict[str, Life] = field(default_factory=dict)
    workspace: str = ""  # as it was when the service was started

    def is_at(self, address: str, server: str) -> bool:
        """Whether the address is that server's, by whichever name of this machine."""
        try:
            named, own = urlsplit(address), urlsplit(server)
            return named.port == own.port and named.hostname in {own.hostname, "localhost", LOOPBACK}
        except ValueError:  # a database's, whose password has brackets
            return False

    @property
    def pages(self) -> dict[str, str]:
        """Where to look; MLflow's page opens on its GenAI side unless the address says otherwise."""
        return {"prefect": self.prefect, "mlflow": f"{self.mlflow}/#/experiments?workflowType=machine_learning"}

    @property
    def process(self) -> psutil.Process:
        """Raises PipelineError if it is another's number here: of another host, or inside a container."""
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
    def __init__(self, workspace: Path) -> None:
        self.folder = workspace.absolute() / "service"
        self.log = self.folder / "log"
        self.temporary = self.folder / "tmp"  # of all that the service has started
        self._state = self.folder / "state.json"

    @property
    def lock(self) -> FileLock:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        return FileLock(self.folder / ".lock")

    @property
    def held(self) -> bool:
        """Whether the service runs, be it in a container that shares the folder."""
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
        """None if the service does not run, or has not begun to start its parts."""
        if not self.held or not self._state.exists():
            return None
        way = "End the process that runs `-m flows.service.supervisor` of this workspace, then `w2v up`."
        with undamaged(self._state, way):
            said = json.loads(self._state.read_text(encoding="utf-8"))
            lives = {name: Life(**life) for name, life in said.pop("lives").items()}
            return State(**said, lives=lives)

    def write(self, state: State) -> None:
        beside = self._state.with_name("state.json.partial")
        beside.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
        os.replace(beside, self._state)

    def links(self, state: State) -> dict[str, str]:
        """The pages, with what lets a browser in; without, where MLflow asks for the passwords of its own users."""
        own = credentials.read(self.folder)
        open_to = [name for name in state.pages if name != "mlflow" or MLFLOW_PASSWORD not in state.asks]
        return state.pages | {name: credentials.lock(name, own).link(state.pages[name]) for name in open_to}

    def shut(self, database: str) -> None:
        """Have no other account read what the service knows: what is there, and what will be."""
        os.umask(0o077)
        try:
            self.folder.chmod(0o700)
        except PermissionError as error:
            raise self._not_ours() from error
        home, tables = self.folder.parent / "prefect", self.folder.parent / "mlflow.db"
        if database.startswith("sqlite:///"):
            tables = Path(database.removeprefix("sqlite:///"))
        for each in [home, *home.glob("*.db*"), *tables.parent.glob(f"{tables.name}*"), *self.folder.iterdir()]:
            with suppress(PermissionError, FileNotFoundError):  # another account's, from before; or gone meanwhile
                each.chmod(0o700 if each.is_dir() else 0o600)

    def enter(self, state: State) -> None:
        """Have the service's own credentials in the environment, for each server that it says to be at, or none."""
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
        self._state.unlink(missing_ok=True)

    def sweep(self, pattern: str = "") -> None:
        """Delete temporary files, or folders of them that have such a name.

        Prefect's worker writes the environment of each flow run there, passwords included; killed, it deletes nothing.
        """
        for left in self.temporary.glob(pattern) if pattern else [self.temporary]:
            shutil.rmtree(left, ignore_errors=True)

    def former(self, state: State) -> Path | None:
        """The workspace as the service knows it, if that is not where it is now."""
        known, here = Path(state.workspace), self.folder.parent
        if not state.workspace or known == here or (known.exists() and known.samefile(here)):
            return None
        return known

    def processes(self) -> list[psutil.Process]:
        """All that the service has started, directly or not, and that still runs."""
        return [process for process in psutil.process_iter() if _mark(process) == str(self.folder)]


def clock(seconds: float) -> str:
    """A time of the machine's own clock, with its zone."""
    return time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(seconds))


def _mark(process: psutil.Process) -> str:
    try:
        return str(process.environ().get(MARK))
    except (psutil.Error, OSError):  # another user's, or gone meanwhile
        return ""


def join(workspace: Path) -> None:
    """Use the servers of the workspace's service, if it is up, unless the user names others.

    Raises PipelineError if it asks for passwords that the environment does not have.
    """
    place = Place(workspace)
    state = place.state
    if not state or not state.ready:
        return
    if former := place.former(state):
        raise PipelineError(
            f"{workspace}: the workspace was moved, or is mounted elsewhere, while its service runs\n"
            f"expected  {former}, as the service knows it\nfound     {place.folder.parent}\n"
            f"End that with `w2v down --workspace {shlex.quote(str(workspace))}`, then start it with `w2v up`."
        )
    os.environ.setdefault("PREFECT_API_URL", f"{state.prefect}/api")
    os.environ.setdefault(URI, state.mlflow)
    place.enter(state)
    if missing := [name for name in state.asks if not os.environ.get(name)]:
        raise PipelineError(
            f"the service of {workspace} asks for a password\nSet {' and '.join(missing)} as they were for `w2v up`."
        )
