"""`w2v serve`: vectors, neighbours and analogies of a run over HTTP, protected by a link or a password.

The table is memory-mapped and shared by all requests without copies. If the champion is served, a new champion replaces
it within seconds, and each response names its run.
"""

import contextlib
import errno
import hashlib
import ipaddress
import logging
import os
import shlex
import socket
import threading
from pathlib import Path

import uvicorn
from threadpoolctl import threadpool_limits

from flows.access import keys
from flows.access.admission import Bounded, limits
from flows.access.guard import App, Guard
from flows.access.lock import Lock
from flows.access.network import LOOPBACK, hosts, names
from flows.query import vectors
from flows.serving.index import indexed
from flows.serving.limits import Served
from flows.serving.schema import HEALTH, SCORES, app, threads
from tasks.errors import PipelineError
from tasks.evaluation.judging import Space
from tasks.tracking import address, registry
from tasks.tracking.names import MODEL_VERSION
from tasks.tracking.run import Run

LOOK_SECONDS = 10.0  # between two looks for a new champion
PASSWORD = "W2V_SERVE_PASSWORD"
USER = "w2v"
FOLDER, NETRC, KEY = "serve", "netrc", "key"  # in the workspace

log = logging.getLogger("w2v")


class LookedUp:
    """The served vectors: those of one run, or of the current `champion` or `MODEL@champion`."""

    def __init__(self, workspace: Path, name: str, index: Path | None = None) -> None:
        """Load the vectors, and use the index in the folder. Raises InputError if it is that of other vectors."""
        self._uri, self._name, self._index = address.runs_of(workspace), name, index
        self._silent = False  # whether the registry has stopped answering
        self._now = self._load(registry.run_id(self._uri, name))

    @property
    def now(self) -> Served:
        """Return the vectors that are served at present."""
        return self._now

    def look(self) -> None:
        """Serve the new champion if there is one; if the registry does not answer, keep the present vectors."""
        try:
            run_id = registry.run_id(self._uri, self._name)
            if run_id != self._now.run:
                self._now = self._load(run_id, again=True)
                log.info("now serving: %s", self.about)
            self._silent = False
        except PipelineError as error:
            if not self._silent:
                log.warning("%s\nStill serving: %s", error, self.about)
            self._silent = True

    def follow(self) -> None:
        """Look for a new champion repeatedly, until the process ends; return at once if one run is served."""
        if registry.is_alias(self._name):
            clock = threading.Event()
            while not clock.wait(LOOK_SECONDS):
                self.look()

    @property
    def about(self) -> str:
        """Return the version, the run and the size of the served vectors, in words."""
        size = " × ".join(f"{number:,}" for number in self._now.learnt.table.shape)
        return f"{self._now.version or 'no version'}, run {self._now.run}, {size}"

    def _load(self, run_id: str, *, again: bool = False) -> Served:
        learnt = vectors.of_run(self._uri, run_id, registered=registry.is_alias(self._name))
        version = Run(self._uri, run_id).record.data.tags.get(MODEL_VERSION, "")
        space = Space(learnt, scores := SCORES // threads(len(learnt.words)))
        if self._index:
            try:
                space.vectors = indexed(self._index, learnt, scores)
            except PipelineError as error:
                if not again:
                    raise
                log.warning("%s\nUntil then, search is exact.", error)
        return Served(run_id, version, learnt, space)


class Access:
    """Access to the server: with the user's password, or with a random one that is kept in the workspace."""

    def __init__(self, workspace: Path, host: str) -> None:
        """Read or make the password. Raises PipelineError if other machines may ask and the user set none."""
        self.host, given = host, os.environ.get(PASSWORD, "")
        if not _is_local(host) and not given:
            raise PipelineError(
                f"{host} lets other machines reach the server\nexpected  a password in {PASSWORD}\nfound     none\n"
                f"Set it, as in `read -rs {PASSWORD} && export {PASSWORD}`, or serve on {LOOPBACK}."
            )
        folder = workspace.absolute() / FOLDER
        key = keys.kept(folder / KEY)
        if given:
            self.netrc, password = None, given
            key = hashlib.sha256(f"{key} {given}".encode()).hexdigest()  # a new password makes old links invalid
        else:
            self.netrc = folder / NETRC
            lines = [f"machine {name} login {USER} password {{0}}\n" for name in ("127.0.0.1", "localhost", "::1")]
            password = keys.kept(self.netrc, "".join(lines)).split()[5]
        self.lock = Lock(f"{USER}:{password}", key)

    def guarded(self, inside: App, port: int) -> Guard:
        """Return the application behind our limits and our guard."""
        return Guard(Bounded(inside, HEALTH), port, hosts(self.host, port), self.lock, health=HEALTH)

    def directions(self, port: int) -> str:
        """Return the link for a browser and a command for a shell, which shows no password in the list of processes."""
        name = "127.0.0.1" if self.host == "0.0.0.0" else f"[{self.host}]" if ":" in self.host else self.host
        page = f"http://{name}:{port}"
        ask = f"'{page}/neighbors?word=WORD'"
        if self.netrc:
            shell = f"curl --netrc-file {shlex.quote(str(self.netrc))} {ask}"
        else:
            shell = f"""printf 'user = "{USER}:%s"' "${PASSWORD}" | curl --config - {ask}"""
        return f"  browser  {self.lock.link(page + '/')}\n  shell    {shell}"


def serve(workspace: Path, name: str, port: int, host: str = LOOPBACK, index: Path | None = None) -> None:
    """Serve until Ctrl-C.

    Raises TrackingError or InputError if there is no such run or the index is of other vectors, PipelineError if the
    port is taken, or if other machines may reach the server without a password.
    """
    access = Access(workspace, host)
    source = LookedUp(workspace, name, index)
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the end of each response is delayed by 40 ms
    threading.Thread(target=source.follow, daemon=True).start()
    inside = access.guarded(app(source), port)
    server = uvicorn.Server(uvicorn.Config(inside, log_level="warning", access_log=False, lifespan="on", **limits()))
    print(f"{source.about}\nserved on http://{host}:{port}  (Ctrl-C stops it)\n{access.directions(port)}", flush=True)
    if not _is_local(host):
        print("open to other machines, without encryption", flush=True)
    with threadpool_limits(1, "blas"), contextlib.suppress(KeyboardInterrupt):  # requests share the cores already
        server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PipelineError(f"port {port} is taken.\nChoose another: w2v serve --port {port + 1}") from error
        raise PipelineError(
            f"{host} is not an address of this machine\nexpected  one of {', '.join(names('0.0.0.0'))}\n"
            f"found     {error.strerror or error}\nName it with --host."
        ) from error


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
