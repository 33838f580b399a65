"""`w2v ui`: serve MLflow's pages for a workspace, until Ctrl-C."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from flows.access.guard import guard_environment
from flows.access.lock import Lock
from flows.access.network import hosts
from flows.servers import mlflow_server
from tasks.engine.environment import MODULE
from tasks.errors import PipelineError
from tasks.tracking import address
from tasks.tracking.contents import columns

PAUSE = 0.2  # seconds between two health checks


def mlflow_ui(workspace: Path, port: int) -> None:
    """Serve the workspace's runs on 127.0.0.1:port. Raises PipelineError if there are none, or the port is taken."""
    uri, app = address.runs_of(workspace), mlflow_server.app_name()
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise PipelineError(f"port {port} is taken.\nChoose another: w2v ui --port {port + 1}")

    lock = Lock.random()
    page = lock.link(f"http://127.0.0.1:{port}/{columns.address(uri)}")
    print("starting MLflow …", file=sys.stderr, flush=True)
    command = [*MODULE, "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--uvicorn-opts", mlflow_server.OPTIONS, "--app-name", app]
    # one worker and no job runner: two processes instead of fifteen
    about = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_BACKEND_STORE_URI": uri}
    about |= guard_environment(port, hosts("127.0.0.1", port), lock)
    # in its own process group, it does not receive Ctrl-C itself and prints no "aborted"
    with subprocess.Popen(
        command,
        env=os.environ | about,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),  # its output is not the command's output
        process_group=0,
    ) as server:
        try:
            while server.poll() is None and not _answers(port):
                time.sleep(PAUSE)
            if server.poll() is None:
                print(f"MLflow on {page}  (Ctrl-C stops it)\nThe link logs a browser in, until then.", flush=True)
            code = server.wait()
        except KeyboardInterrupt:
            server.terminate()
            code = 0
    if code:
        raise PipelineError(f"the MLflow server stopped with exit code {code}; its last lines above say why.")


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).is_success
    except httpx.HTTPError:
        return False
