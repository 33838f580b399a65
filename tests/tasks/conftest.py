"""What every test of a stage needs."""

from pathlib import Path

import hypothesis
import pytest

from configs.schema import Runtime
from tasks.engine.stage import Context
from tasks.tracking.client import reached

hypothesis.settings.register_profile("steady", deadline=None)  # a busy machine is no error
hypothesis.settings.load_profile("steady")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A workspace of its own."""
    return Context(runtime=Runtime(workspace=str(tmp_path)))


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's, empty: making it takes seconds."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    with reached(f"sqlite:///{path}"):
        return path
