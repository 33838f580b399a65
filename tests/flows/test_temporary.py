"""The temporary Prefect server: said when it does not start, left out where there is another."""

import os
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
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


def test_a_temporary_server_answers_nobody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who does not have its password, which is new each time and in this process alone, is refused; Prefect has it."""
    for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING"):
        monkeypatch.setenv(name, "")  # set back at the end
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    ends: list[tuple[Callable[..., None], Any]] = []
    monkeypatch.setattr(temporary.atexit, "register", lambda end, server: ends.append((end, server)))
    temporary.ensure_server()
    flows, password = f"{os.environ['PREFECT_API_URL']}/flows/filter", os.environ["PREFECT_API_AUTH_STRING"]
    who = (password.partition(":")[0], password.partition(":")[2])
    try:
        asked = [httpx.post(flows, content="{}", auth=auth).status_code for auth in (None, ("w2v", "no"))]
        foreign = httpx.post(flows, content="{}", auth=who, headers={"Host": "elsewhere.example"})
        page = httpx.post(flows, content="{}", auth=who, headers={"Origin": "null"})
        known = httpx.post(flows, content="{}", auth=who)
        files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
        (line,) = [Path(f"/proc/{server.pid}/cmdline").read_bytes() for _, server in ends]
    finally:
        for end, server in ends:
            end(server)

    assert asked == [401, 401]
    assert (foreign.status_code, page.status_code, known.status_code) == (403, 403, 200)
    assert not [content for content in files if password[4:].encode() in content]
    assert password[4:].encode() not in line
