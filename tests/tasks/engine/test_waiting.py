"""Long waits are logged, and time limits grow with the load."""

import os
import time

import pytest

from tasks.engine import waiting
from tasks.engine.waiting import announced, scaled


def test_a_long_wait_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The line says what the wait is for and how busy the machine is; a short wait is not logged."""
    with caplog.at_level("INFO", "w2v"), announced("the quick one"):
        pass
    monkeypatch.setattr(waiting, "SOON", 0.01)
    with caplog.at_level("INFO", "w2v"), announced("the slow one"):
        time.sleep(0.5)

    assert "waiting for the slow one (load " in caplog.text
    assert "quick" not in caplog.text


@pytest.mark.parametrize(("load", "seconds"), [(0.0, 10.0), (1.9, 10.0), (20.0, 100.0)])
def test_limits_grow_with_the_load(load: float, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds on two idle cores become a hundred if twenty processes want the cores."""
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    assert scaled(10) == seconds
