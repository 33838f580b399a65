"""What every test of a stage needs."""

from pathlib import Path

import pytest

from configs.schema import Runtime
from tasks._stage import Context


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A workspace of its own."""
    return Context(runtime=Runtime(workspace=str(tmp_path)))
