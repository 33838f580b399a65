"""The temporary Prefect server: said when it does not start, left out where there is another."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from flows import temporary
from tasks._errors import PipelineError


def test_a_server_that_does_not_start_is_an_error_with_a_way_out() -> None:
    """What it ended with, and how to go on with a server of one's own."""
    with (
        subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as server,
        pytest.raises(PipelineError, match=r"ended with exit code 3\n.*PREFECT_API_URL"),
    ):
        temporary._wait_for(server, "http://127.0.0.1:1/api/health")


def test_a_server_of_ones_own_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other is started beside it, whatever it answers."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        address = f"http://127.0.0.1:{server.server_port}/api"
        monkeypatch.setenv("PREFECT_API_URL", address)
        monkeypatch.delattr(subprocess, "Popen")
        Thread(target=server.handle_request).start()
        temporary.ensure_server()

    assert os.environ["PREFECT_API_URL"] == address


def test_a_server_of_ones_own_that_is_away_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which one, without its password, and what to do; it is said before anything is done."""
    monkeypatch.setenv("PREFECT_API_URL", "http://someone:secret@127.0.0.1:9/api")

    with pytest.raises(PipelineError, match=r"http://…@127.0.0.1:9/api does not answer\n.*\n.*unset") as error:
        temporary.ensure_server()
    assert "secret" not in str(error.value)
