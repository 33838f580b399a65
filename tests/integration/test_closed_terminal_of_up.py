"""`w2v up` and a closed terminal: the service stays once it is up, and ends if it was starting or in the foreground."""

from pathlib import Path

import pytest

from flows.service.state import Place
from tests.integration.test_cli import W2V, settings, w2v, wait_until
from tests.support.servers import free_port, until
from tests.support.terminals import Terminal, ended


@pytest.mark.long
@pytest.mark.parametrize(("when", "code"), [("starting", 130), ("up", 0), ("foreground", 0)])
def test_up_outlives_its_terminal_once_it_is_up(when: str, code: int, own: Path, corpus: Path, tmp_path: Path) -> None:
    """If the terminal is closed earlier, or the service is in the foreground, every process of it ends."""
    log, place, terminal = tmp_path / "log", Place(own), Terminal(tmp_path / "log")
    ports = ["--prefect-port", str(free_port()), "--mlflow-port", str(free_port())]
    words = ["up", *settings(corpus, own), *ports, *(["--foreground"] if when == "foreground" else [])]
    process = terminal.start(W2V, *words, PREFECT_HOME=str(own / "prefect"))
    try:
        with ended(process):
            if when == "up":
                process.wait(timeout=600)
            else:
                wait_until(lambda: (state := place.state) and (when == "starting" or state.ready), log, process)
            terminal.close()

            assert process.wait(timeout=300) == code, log.read_text()
        if when == "up":
            assert w2v("status", "--workspace", own).returncode == 0
            assert len(place.processes()) >= 4
            assert w2v("down", "--workspace", own).returncode == 0
        until(lambda: not place.held)

        assert not place.processes()
        assert not place.state
    finally:
        for each in place.processes():
            each.kill()
