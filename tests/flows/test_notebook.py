"""The commands as functions: what a notebook shows of them, and the notebook of the documentation as it is written."""

import ast
import inspect
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from configs.loading import ConfigError
from configs.schema import Config
from flows import notebook
from tests.support.paths import PROJECT

BOOK = json.loads((PROJECT / "docs" / "reference" / "notebook.ipynb").read_text())
CODE = ["".join(cell["source"]) for cell in BOOK["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("name", sorted(notebook.__all__))
def test_a_function_says_what_it_takes_and_returns(name: str) -> None:
    """Every argument and the result have a type, and the documentation has a sentence: what Shift-Tab shows."""
    function = getattr(notebook, name)
    signature = inspect.signature(function)

    assert inspect.getdoc(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())


def test_the_notebook_compiles_and_finds_what_it_imports() -> None:
    """Each cell is Python, each module that it imports is there, and so is each function that it calls."""
    trees = [ast.parse(code) for code in CODE]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    called = {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "w2v"}

    assert len(CODE) > 5
    assert "flows" in modules
    assert all(find_spec(str(name)) for name in modules)
    assert {"runs", "scores", "neighbors", "config", "plan", "retrain", "sweep"} <= called <= set(notebook.__all__)


def test_a_config_is_a_file_or_a_config_with_changes(config: Config, tmp_path: Path) -> None:
    """Changes are those of `--set`, checked as there; the workspace of the call is the one that counts."""
    (tmp_path / "own.toml").write_text('ingestion.source = "own.txt"\n')

    assert notebook.config(tmp_path / "own.toml", ["training.epochs=7"]).training.epochs == 7
    assert notebook.config(config, ["training.epochs=7"]).training == config.training.model_copy(update={"epochs": 7})
    assert notebook.config(config, workspace=tmp_path / "ws").runtime.workspace == str(tmp_path / "ws")
    assert notebook.config(config) == config
    with pytest.raises(ConfigError, match=r"unknown key training\.epoch"):
        notebook.config(config, ["training.epoch=7"])
