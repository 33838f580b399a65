"""A Prefect server for the time of one command, where the user has none; and a look whether theirs answers.

Prefect starts one by itself, but in our process group: Ctrl-C and `timeout` would end it before us, who need it to end
well. This one is in a group of its own, and ends when its standard input does: with us, however we end.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.error import URLError
from urllib.request import urlopen

from configs.addresses import shown
from flows.guard import Lock, authorities, told
from tasks._errors import PipelineError

START, STOP = 120, 5  # seconds to wait at most
ANSWER = 10  # seconds in which a server of the user's has to answer


def ensure_server() -> None:
    """Name a server for Prefect, before it is imported.

    Raises PipelineError if the user's does not answer, or the temporary one does not start.
    """
    if address := os.environ.get("PREFECT_API_URL"):
        _check(address)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lock = Lock.random()
    # as Prefect tells its own
    about = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    about |= told(port, authorities(["127.0.0.1"], port), lock)
    server = subprocess.Popen(
        [sys.executable, "-m", "flows.temporary", str(port)],
        stdin=subprocess.PIPE, process_group=0, env=os.environ | about,
    )  # fmt: skip
    atexit.register(_end, server)  # before Prefect registers what it still sends at the end, hence after that
    _wait_for(server, f"http://127.0.0.1:{port}/api/health")
    os.environ |= {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_API_AUTH_STRING": lock.credential}


def _check(address: str) -> None:
    """Whatever it answers is an answer: what it thinks of us is Prefect's to say."""
    import httpx

    try:
        httpx.get(f"{address.rstrip('/')}/health", timeout=ANSWER, verify=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = shown(str(error), address) or type(error).__name__
        raise PipelineError(
            f"Prefect's server at {shown(address)} does not answer\n{reason}\n"
            "Start it, name another in PREFECT_API_URL, or unset that: then a temporary one serves this command."
        ) from error


def _wait_for(server: "subprocess.Popen[bytes]", address: str) -> None:
    deadline = time.monotonic() + START
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(address, timeout=START):
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    found = "no answer" if server.returncode is None else f"it ended with exit code {server.returncode}"
    raise PipelineError(
        f"the temporary Prefect server does not start\nexpected  an answer from {address} within {START} seconds\n"
        f"found     {found}\nRun the command again, or start `prefect server start` and name it in PREFECT_API_URL."
    )


def _end(server: "subprocess.Popen[bytes]") -> None:
    assert server.stdin
    server.stdin.close()
    server.wait()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP)
    os._exit(0)


if __name__ == "__main__":
    from flows import prefect_server

    threading.Thread(target=_end_with_parent, daemon=True).start()
    prefect_server.serve("127.0.0.1", int(sys.argv[1]))
