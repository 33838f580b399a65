"""A Prefect server for the time of one command, where the user has none.

Prefect starts one by itself, but in our process group: Ctrl-C and `timeout` would end it before us, who need it to end
well. This one is in a group of its own, and ends when its standard input does: with us, however we end.

The socket that it listens on is ours. Who asks while it starts, or between its death and the start of the next one on
the same database, is not refused: the question waits in the socket. Where no server can be had, stand_in.py answers.
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

from flows.access.guard import Guard, Lock, authorities, told
from flows.servers import preflight, stand_in
from flows.servers.settings import PATIENT
from tasks.engine import waiting
from tasks.engine.environment import MODULE
from tasks.refusals import Refusal, in_last

STOP = 5  # seconds until a server that was asked to end is ended
TRIES = 3  # servers, one after the other, that end or hang before they have answered
HUNG = 120  # seconds without an answer and without a single tick of a processor
ASKED = 5  # seconds that a question waits, before it is put again
PATIENCE = "600"  # seconds that Prefect's client waits for an answer: a busy server is no absent one
BACKLOG = 2048  # connections that wait for a server
HEALTH = "/api/health"
COMMAND = [*MODULE, "flows.servers.ephemeral"]
ABOUT = {  # as Prefect tells its own
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    **PATIENT,
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",  # not for a terminal: we look there for the cause
}
WITHOUT = "The work goes on without: MLflow is told all of it, and Prefect's page nothing."

log = logging.getLogger("w2v")
_serving: "Temporary | None" = None


def ensure_server() -> None:
    """Name a server for Prefect, before it is imported. Raises PipelineError if the user's does not answer."""
    global _serving
    if _serving:
        return
    if address := os.environ.get("PREFECT_API_URL"):
        preflight.check(address)
        return
    os.environ.setdefault("PREFECT_API_REQUEST_TIMEOUT", PATIENCE)
    _serving = Temporary()
    atexit.register(_serving.end)  # before Prefect registers what it still sends at the end, hence after that
    _serving.wait()
    os.environ |= {"PREFECT_API_URL": f"{_serving.address}/api", "PREFECT_API_AUTH_STRING": _serving.lock.credential}


def missing() -> str:
    """Why Prefect has no record of what this command does; empty if it has one."""
    return _serving.missing if _serving else ""


def replaced() -> bool:
    """Whether a server of this command's was killed, and another has its records."""
    return bool(_serving and _serving.replaced and not _serving.missing)


class Temporary:
    """One server at a time, replaced where it dies."""

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
        """Return when there is an answer, of a server or of what stands in for it."""
        with waiting.told("the temporary Prefect server"):
            self._answered.wait()

    def end(self) -> None:
        with self._change:
            self._ending.set()
        if self._server:
            _close(self._server)
            self._server.wait()
        if not self.missing:  # else what stands in has it
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
        stand_in.answer_on(self._socket, app)
        self._answered.set()

    def _start(self, output: IO[bytes]) -> bool:
        """Unless we end."""
        with self._change:
            if self._ending.is_set():
                return False
            number = self._socket.fileno()
            about = ABOUT | told(self._port, self._names, self.lock)
            self._server = subprocess.Popen(
                [*COMMAND, str(number)], pass_fds=[number], process_group=0, env=os.environ | about,
                stdin=subprocess.PIPE, stdout=output, stderr=output,
            )  # fmt: skip
            return True

    def _look_after(self) -> tuple[bool, str]:
        """Until it ends: whether it has answered, and how it ended. One that hangs before it answers is killed."""
        assert self._server
        worked, since = 0.0, time.monotonic()
        while self._server.poll() is None:
            if _answers(self.address + HEALTH):
                self._socket.listen(BACKLOG)  # the server itself has asked for a shorter queue
                self._answered.set()
                return True, _ended(self._server.wait())
            if (now := _work(self._server.pid)) > worked:
                worked, since = now, time.monotonic()
            elif time.monotonic() - since > HUNG:
                self._server.kill()
                self._server.wait()
                return False, f"it did not work for {HUNG} seconds"
        return False, _ended(self._server.wait())


def _close(server: "subprocess.Popen[bytes] | None") -> None:
    """Its standard input, without which it ends."""
    assert server
    assert server.stdin
    server.stdin.close()


def _answers(address: str) -> bool:
    try:
        httpx.get(address, timeout=ASKED, trust_env=False).raise_for_status()  # no proxy reaches this machine
    except httpx.HTTPError:
        time.sleep(0.1)
        return False
    return True


def _work(pid: int) -> float:
    """Processor time so far, in seconds."""
    try:
        return float(sum(psutil.Process(pid).cpu_times()[:2]))
    except psutil.Error:
        return 0.0


def _ended(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def _refusal(output: IO[bytes]) -> Refusal | None:
    """What its last words say of the cause."""
    output.seek(0)
    return in_last(output.read().decode(errors="replace").splitlines())


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # not the buffered one, which has a lock that nobody may hold at the end
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP)
    os._exit(0)


if __name__ == "__main__":
    from flows.servers import prefect_server

    threading.Thread(target=_end_with_parent, daemon=True).start()
    prefect_server.serve(socket.socket(fileno=int(sys.argv[1])))
