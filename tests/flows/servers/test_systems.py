"""Operating systems: Windows is refused before anything starts."""

import platform

import pytest

from tests.support.commands import called


def test_windows_is_refused_with_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command says what is expected, what was found, and how Linux runs inside Windows."""
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.setattr(platform, "platform", lambda: "Windows-11-10.0.26100")
    answer = called("plan")

    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.splitlines() == [
        "error: w2v does not run on Windows itself",
        "expected  Linux, macOS, or Linux inside Windows (WSL 2)",
        "found     Windows-11-10.0.26100",
        "Install WSL 2 (`wsl --install`) and run the same commands there: docs/reference/platforms.md says why.",
    ]
