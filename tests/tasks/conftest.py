"""What stage tests share: a workspace of their own, and no Prefect."""

from pathlib import Path

import pytest

from configs.schema import Runtime
from tasks._stage import Context


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(runtime=Runtime(workspace=str(tmp_path / "workspace"), threads=2))
