"""Start a temporary Prefect server for one command, if the user has none.

Prefect could start one itself, but in our process group: Ctrl-C and `timeout` would end it before us, and we need it to
finish our flow run. This one has its own group, and ends when its standard input is closed: when we end, however.

It listens on a socket of this process. So requests are not refused while it starts, or after its death until the next
one runs on the same database: they wait in the socket. If no server can be started, stand_in.py answers.
"""

import atexit
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO

import httpx
import psutil

from flows.access.guard import Guard, guard_environment
from flows.access.headers import authorities
from flows.access.lock import Lock
from flows.servers import preflight, stand_in
from flows.servers.settings import PATIENT
from tasks.engine import waiting
from tasks.engine.environment import MODULE
from tasks.refusals import Refusal, in_last

STOP = 5  # seconds from SIGTERM until the server exits by itself
TRIES = 3  # servers in a row that end or hang before they have answered; then we give up
HUNG = 120  # seconds without an answer and without any processor time
ASKED = 5  # seconds until a health check is repeated
PATIENCE = "600"  # seconds that Prefect's client waits for an answer, since a server may be busy
BACKLOG = 2048  # connections that may wait until a server accepts them
HEALTH = "/api/health"
COMMAND = [*MODULE, "flows.servers.ephemeral"]
ABOUT = {  # as Prefect sets for its own temporary server
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "0",  # a kind of block is registered when one is saved
    **PATIENT,
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",  # not shown: we search it for the cause of a failure
}
WITHOUT = "The work continues without it: everything is recorded in MLflow, and nothing in Prefect."

log = logging.getLogger("w2v")
_serving: "Temporary | None" = None


def ensure_server() -> None:
    """Set the address of Prefect's server, before Prefect is imported; start a temporary one if the user names none.

    Raises PipelineError if the user's server does not answer.
    """
    global _serving
    if _serving:
        return
    if address := os.environ.get("PREFECT_API_URL"):
        preflight.check(address)
        return
    os.environ.setdefault("PREFECT_API_REQUEST_TIMEOUT", PATIENCE)
    _serving = Temporary()
    atexit.register(_serving.end)  # registered before Prefect's own exit handler, so it runs after that
    _serving.wait()
    os.environ |= {"PREFECT_API_URL": f"{_serving.address}/api", "PREFECT_API_AUTH_STRING": _serving.lock.credential}


def missing() -> str:
    """Return why Prefect has no record of this command's work, or "" if it has one."""
    return _serving.missing if _serving else ""


def replaced() -> bool:
    """Return True if a server of this command was killed and another has its records."""
    return bool(_serving and _serving.replaced and not _serving.missing)


class Temporary:
    """One server at a time, which is replaced if it dies."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self._port = self._socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        self.lock = Lock.random()
        self._names = authorities(["127.0.0.1"], self._port)
        self.missing, self.replaced = "", False
        self._answered, self._ending = threading.Event(), threading.Event()
        self._change = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        threading.Thread(target=self._keep, daemon=True).start()

    def wait(self) -> None:
        """Wait until the server, or its stand-in, answers."""
        with waiting.announced("the temporary Prefect server"):
            self._answered.wait()

    def end(self) -> None:
        """End the server."""
        with self._change:
            self._ending.set()
        if self._server:
            _close(self._server)
            self._server.wait()
        if not self.missing:  # else the stand-in uses it
            self._socket.close()

    def _keep(self) -> None:
        failed, said, way = 0, "", ""
        while failed < TRIES:
            with tempfile.TemporaryFile() as output:
                if not self._start(output):
                    return
                answered, ended = self._look_after()
                _close(self._server)
                if self._ending.is_set():
                    return
                refusal = None if answered else _refusal(output)
            said, way = (f"its database {refusal.what}", refusal.way) if refusal else (ended, "")
            self.replaced |= answered
            failed = 0 if answered else failed + 1 if refusal is None or refusal.passes else TRIES
            if failed < TRIES:
                log.warning("⚠ the temporary Prefect server ended: %s; another takes its place", said)
        self.missing = said
        log.warning("⚠ there is no temporary Prefect server: %s. %s\n%s", said, way, WITHOUT)
        app = Guard(stand_in.StandIn(), self._port, self._names, self.lock, health=HEALTH, sockets=True)
        stand_in.answer_on(self._socket, app, BACKLOG)
        self._answered.set()

    def _start(self, output: IO[bytes]) -> bool:
        """Start a server; return False if this process is ending."""
        with self._change:
            if self._ending.is_set():
                return False
            number = self._socket.fileno()
            about = ABOUT | guard_environment(self._port, self._names, self.lock)
            self._server = subprocess.Popen(
                [*COMMAND, str(number)],
                pass_fds=[number],
                process_group=0,
                env=os.environ | about,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
            return True

    def _look_after(self) -> tuple[bool, str]:
        """Wait until the server ends; return True if it has answered, and how it ended.

        A server that hangs before its first answer is killed.
        """
        assert self._server
        worked, since = 0.0, time.monotonic()
        while self._server.poll() is None:
            if _answers(self.address + HEALTH):
                self._socket.listen(BACKLOG)  # the server has set a shorter queue
                self._answered.set()
                return True, _ended(self._server.wait())
            if (now := _work(self._server.pid)) > worked:
                worked, since = now, time.monotonic()
            elif time.monotonic() - since > HUNG:
                self._server.kill()
                self._server.wait()
                return False, f"it used no processor time for {HUNG} seconds"
        return False, _ended(self._server.wait())


def _close(server: "subprocess.Popen[bytes] | None") -> None:
    """Close the server's standard input, which makes it end."""
    assert server
    assert server.stdin
    server.stdin.close()


def _answers(address: str) -> bool:
    try:
        httpx.get(address, timeout=ASKED, trust_env=False).raise_for_status()  # never through a proxy
    except httpx.HTTPError:
        time.sleep(0.1)
        return False
    return True


def _work(pid: int) -> float:
    """Return the processor time used so far, in seconds."""
    try:
        return float(sum(psutil.Process(pid).cpu_times()[:2]))
    except psutil.Error:
        return 0.0


def _ended(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def _refusal(output: IO[bytes]) -> Refusal | None:
    """Find the cause of a failure in the server's output, the last line first."""
    output.seek(0)
    return in_last(output.read().decode(errors="replace").splitlines())


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # unbuffered: a lock of sys.stdin held at exit would be fatal
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP)
    os._exit(0)


if __name__ == "__main__":
    from flows.servers import prefect_server

    threading.Thread(target=_end_with_parent, daemon=True).start()
    prefect_server.serve(socket.socket(fileno=int(sys.argv[1])))
