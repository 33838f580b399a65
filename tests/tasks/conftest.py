"""Fixtures for tests of stages."""

from pathlib import Path

import hypothesis
import pytest

from configs.schema import Runtime
from tasks.engine.stage import Context

hypothesis.settings.register_profile("steady", deadline=None)  # a busy machine is no error
hypothesis.settings.load_profile("steady")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return a context with a workspace of its own."""
    return Context(runtime=Runtime(workspace=str(tmp_path)))
