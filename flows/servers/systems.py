"""Refuse an operating system on which nothing here would work."""

import platform

from tasks.errors import PipelineError


def check() -> None:
    """Raise PipelineError on Windows."""
    if platform.system() == "Windows":
        raise PipelineError(
            "w2v does not run on Windows itself\n"
            "expected  Linux, macOS, or Linux inside Windows (WSL 2)\n"
            f"found     {platform.platform()}\n"
            "Install WSL 2 (`wsl --install`) and run the same commands there: docs/reference/platforms.md says why."
        )
