"""`w2v serve`: vectors, neighbours and analogies of a run over HTTP, for who has the link or the password.

The table is mapped and shared by all requests, none of which copies it. Where the champion is served, a new one takes
over within seconds, and each answer names the run it comes from.
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
from flows.access.guard import App, Guard, Lock
from flows.access.network import LOOPBACK, hosts, names
from flows.query import vectors
from flows.serving.schema import HEALTH, SCORES, Served, app, threads
from tasks.errors import PipelineError
from tasks.evaluation.judging import Space
from tasks.tracking import registry, session
from tasks.tracking.run import Run

LOOK_SECONDS = 10.0  # between two looks who is champion
PASSWORD = "W2V_SERVE_PASSWORD"
USER = "w2v"
FOLDER, NETRC, KEY = "serve", "netrc", "key"  # in the workspace

log = logging.getLogger("w2v")


class Source:
    """Which vectors are served: those of one run, or of whoever is `champion` or `MODEL@champion` at the time."""

    def __init__(self, workspace: Path, name: str) -> None:
        self._uri, self._name = session.runs_of(workspace), name
        self._silent = False  # whether the registry has stopped answering
        self._now = self._load(registry.run_id(self._uri, name))

    @property
    def now(self) -> Served:
        return self._now

    def look(self) -> None:
        """Serve another champion if there is one; while the registry does not answer, what is there stays."""
        try:
            run_id = registry.run_id(self._uri, self._name)
            if run_id != self._now.run:
                self._now = self._load(run_id)
                log.info("now served: %s", self.about)
            self._silent = False
        except PipelineError as error:
            if not self._silent:
                log.warning("%s\nStill served: %s", error, self.about)
            self._silent = True

    def follow(self) -> None:
        """Look again and again, until the process ends; one run stays what it is."""
        if registry.is_alias(self._name):
            clock = threading.Event()
            while not clock.wait(LOOK_SECONDS):
                self.look()

    @property
    def about(self) -> str:
        size = " × ".join(f"{number:,}" for number in self._now.learnt.table.shape)
        return f"{self._now.version or 'no version'}, run {self._now.run}, {size}"

    def _load(self, run_id: str) -> Served:
        learnt = vectors.of_run(self._uri, run_id, registered=registry.is_alias(self._name))
        version = Run(self._uri, run_id).record.data.tags.get("model.version", "")
        words = len(learnt.words)
        return Served(run_id, version, learnt, Space(learnt, SCORES // threads(words)))


class Door:
    """Who gets in: by the user's password, or by a random one that the workspace keeps."""

    def __init__(self, workspace: Path, host: str) -> None:
        """Raises PipelineError if others are to reach the server without a password of the user's."""
        self.host, given = host, os.environ.get(PASSWORD, "")
        if not _is_local(host) and not given:
            raise PipelineError(
                f"{host} lets others reach the server\nexpected  a password in {PASSWORD}\nfound     none\n"
                f"Set it, as in `read -rs {PASSWORD} && export {PASSWORD}`, or serve on {LOOPBACK}."
            )
        folder = workspace.absolute() / FOLDER
        key = keys.kept(folder / KEY)
        if given:
            self.netrc, password = None, given
            key = hashlib.sha256(f"{key} {given}".encode()).hexdigest()  # another password, other links
        else:
            self.netrc = folder / NETRC
            lines = [f"machine {name} login {USER} password {{0}}\n" for name in ("127.0.0.1", "localhost", "::1")]
            password = keys.kept(self.netrc, "".join(lines)).split()[5]
        self.lock = Lock(f"{USER}:{password}", key)

    def guarded(self, inside: App, port: int) -> Guard:
        return Guard(Bounded(inside, HEALTH), port, hosts(self.host, port), self.lock, health=HEALTH)

    def told(self, port: int) -> str:
        """The link for a browser, and how a shell asks; no password in the list of processes."""
        name = "127.0.0.1" if self.host == "0.0.0.0" else f"[{self.host}]" if ":" in self.host else self.host
        page = f"http://{name}:{port}"
        ask = f"'{page}/neighbors?word=WORD'"
        if self.netrc:
            shell = f"curl --netrc-file {shlex.quote(str(self.netrc))} {ask}"
        else:
            shell = f"""printf 'user = "{USER}:%s"' "${PASSWORD}" | curl --config - {ask}"""
        return f"  browser  {self.lock.link(page + '/')}\n  shell    {shell}"


def serve(workspace: Path, name: str, port: int, host: str = LOOPBACK) -> None:
    """Until Ctrl-C. Raises PipelineError if there is no such run, the port is taken, or others would get in."""
    door = Door(workspace, host)
    source = Source(workspace, name)
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the end of each answer waits for 40 ms
    threading.Thread(target=source.follow, daemon=True).start()
    inside = door.guarded(app(source), port)
    server = uvicorn.Server(uvicorn.Config(inside, log_level="warning", access_log=False, lifespan="on", **limits()))
    print(f"{source.about}\nserved on http://{host}:{port}  (Ctrl-C stops it)\n{door.told(port)}", flush=True)
    if not _is_local(host):
        print("open beyond this machine, without encryption", flush=True)
    with threadpool_limits(1, "blas"), contextlib.suppress(KeyboardInterrupt):  # requests share the cores already
        server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PipelineError(f"port {port} is taken.\nChoose another: w2v serve --port {port + 1}") from error
        raise PipelineError(
            f"{host} is no address of this machine\nexpected  one of {', '.join(names('0.0.0.0'))}\n"
            f"found     {error.strerror or error}\nName it with --host."
        ) from error


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
