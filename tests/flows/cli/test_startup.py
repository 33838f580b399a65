"""What commands import before they answer: of a short command, that is most of its time."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from configs.schema import Runtime
from flows.query.vectors import make_latest
from tasks.engine.stage import Context
from tests.support.trained import vectors_of

W2V = Path(sys.executable).parent / "w2v"
HEAVY = {"prefect", "mlflow", "sqlalchemy", "httpx", "pandas", "scipy", "sklearn", "matplotlib"}


def test_neighbors_needs_numpy_and_arrow_alone(tmp_path: Path) -> None:
    """The vectors of the last retraining are read without Prefect, MLflow, pandas and SciPy, which take seconds."""
    words = [f"word{number}" for number in range(8)]
    context = Context(runtime=Runtime(workspace=str(tmp_path)))
    make_latest(tmp_path, vectors_of(context, words, np.eye(8)))
    answer = subprocess.run(
        [W2V, "neighbors", "word1", "--workspace", tmp_path], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},
    )  # fmt: skip
    imported = set(re.findall(r"^import time: .*\| +(\w+)$", answer.stderr, re.MULTILINE))

    assert "word0 0.00" in answer.stdout
    assert {"numpy", "pyarrow"} <= imported
    assert not imported & HEAVY
