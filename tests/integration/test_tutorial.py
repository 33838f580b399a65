"""The tutorials run as they stand, and the names that its runs have in MLflow are those of the reference."""

import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from prefect.settings import PREFECT_API_URL

from benchmarks import shop
from tests.support.pages import blocks
from tests.support.paths import PROJECT

PAGE = PROJECT / "docs" / "tutorial.md"
ITEMS = PROJECT / "docs" / "tutorial-items.md"
NUMBERED = list(enumerate(blocks(PAGE, "sh")))
NAMES = PROJECT / "docs" / "reference" / "metrics-and-tags.md"


class Ran(NamedTuple):
    """Where blocks have run, and the numbers of these."""

    folder: Path
    numbers: list[str]


@pytest.fixture(scope="module", params=[slice(3, 7), pytest.param(slice(None), marks=pytest.mark.long)])
def ran(
    request: pytest.FixtureRequest, prefect_server: None, database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """All blocks as one script, by default those of the reader's own text up to its second training.

    MLflow's tables, which take seconds to make, are there.
    """
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "workspace").mkdir()
    (folder / "workspace" / "mlflow.db").write_bytes(database.read_bytes())
    script = "\n".join(f"echo '# block {number}'\n{block}" for number, block in NUMBERED[request.param])
    ours = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": ours, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    command = ["bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{script}"]
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout
    (folder / "output").write_text(done.stdout, encoding="utf-8")
    return Ran(folder, [str(number) for number, _ in NUMBERED[request.param]])


def test_it_says_what_the_page_says(ran: Ran) -> None:
    """The same again is nothing to do, runs are compared, and the first version ends as the champion."""
    output = dict(re.findall(r"^# block (\d+)\n(.*?)(?=^# block|\Z)", (ran.folder / "output").read_text(), re.M | re.S))

    assert list(output) == ran.numbers
    assert "training" in output["4"]
    assert "version 1 is champion" in output["5"]
    assert "version 2" in output["6"]
    if len(ran.numbers) < len(NUMBERED):
        return
    assert "schema" in output["0"]
    assert "nothing to do" in output["2"]
    assert "P(B better)" in output["7"]
    assert "kept back" in output["8"]
    assert "version 2 is champion" in output["9"]
    assert "version 1 is champion again" in output["10"]


def test_every_name_in_mlflow_is_on_the_page(ran: Ran) -> None:
    """Metrics, tags and artifacts; a part in capitals, or an ellipsis, stands for any text."""
    page = NAMES.read_text(encoding="utf-8")
    known = {title: _patterns(part) for title, part in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.M | re.S)}
    with closing(sqlite3.connect(ran.folder / "workspace" / "mlflow.db")) as tables:
        metrics = {name for (name,) in tables.execute("SELECT DISTINCT key FROM metrics")}
        tags = {name for of in ("tags", "model_version_tags") for (name,) in tables.execute(f"SELECT key FROM {of}")}
        runs = [run for (run,) in tables.execute("SELECT run_uuid FROM runs")]
    artifacts = {
        file.name for run in runs for file in (ran.folder / "workspace" / "mlartifacts" / run / "artifacts").iterdir()
    }

    assert len(runs) == len({"0", "5", "6"} & set(ran.numbers))  # the blocks that train
    for title, names in {"Metrics": metrics, "Tags": tags, "Artifacts": artifacts}.items():
        assert not [name for name in names if not re.fullmatch(known[title], name)], title


def _patterns(part: str) -> str:
    names = [re.escape(name.removesuffix("/")) for name in re.findall(r"^\| `(.*?)` \|", part, re.MULTILINE)]
    return "|".join(re.sub(r"[A-Z]{3,}|…", ".*", name) for name in names)


@pytest.mark.long
def test_items_of_a_shop(tmp_path: Path) -> None:
    """Neighbours serve the same purpose, the table's columns are found, and the sweep finds the better settings."""
    shop.write(tmp_path / "shop.csv", 20_000)
    script = "\n".join(blocks(ITEMS, "sh"))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert 'found by its name: ingestion.session_column="session_id"' in done.stdout
    assert re.search(r"^Coffee refill, 2 pcs\.(  Coffee [^\n]*?){5}", done.stdout, re.MULTILINE)
    assert re.search(r"baseline/next_item\.over_cooccurrence +-", done.stdout)
    best = tomllib.loads(next((tmp_path / "workspace" / "sweeps").rglob("*.toml")).read_text())
    assert (best["training"]["vector_size"], best["training"]["negatives"]) == (32, 20)
    kept = tomllib.loads((PROJECT / "configs" / "shop.toml").read_text())
    assert kept["training"].items() >= {"vector_size": 32, "negatives": 20}.items()
