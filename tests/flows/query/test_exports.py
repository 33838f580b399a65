"""`w2v export` writes the vectors of a run with what MLflow knows of it."""

from pathlib import Path

import numpy as np
import pytest

from configs.schema import Config, Ingestion, Runtime
from flows.cli.vectors import Format
from flows.query.vectors import make_latest
from tasks.engine.stage import Context
from tasks.tracking import address, names
from tasks.tracking.run import Run
from tasks.vectors import formats
from tests.support.commands import Answer, called
from tests.support.runs import start_run
from tests.support.trained import vectors_of

WORDS = ["alpha", "beta", "red wine"]
TABLE = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def run_id(workspace: Path) -> str:
    """The last retraining: a run with settings, scores and a certificate, as MLflow has them."""
    runtime = Runtime(workspace=str(workspace))
    config = Config(name="wine", ingestion=Ingestion(source="/data/me/wines.txt"), runtime=runtime)
    run = Run(address.uri(config), start_run(config, "flow"))
    run.parameters({"ingestion.source": "/data/me/wines.txt", "training.epochs": "5", "seed": "1"})
    run.metrics(
        {
            "analogy/google.3cosadd": 0.5, "interval/google.3cosadd.low": 0.4, "interval/google.3cosadd.high": 0.6,
            "coverage/google": 0.8, "loss/training": 1.0,
        },
        0,
    )  # fmt: skip
    run.tag({names.CERTIFICATE_DIGEST: "c0ffee"})
    context = Context(runtime=runtime, tracking_uri=address.uri(config), run_id=run.id)
    make_latest(workspace, vectors_of(context, WORDS, TABLE), run.id, "wine/1")
    return run.id


def export(workspace: Path, *words: str | Path) -> Answer:
    return called("export", *words, "--workspace", workspace)


def test_a_folder_says_what_mlflow_knows(run_id: str, workspace: Path, tmp_path: Path) -> None:
    """The card names run, version, file of the text, scores with intervals, certificate and licence, but no path."""
    answer = export(workspace, tmp_path / "wine", "--format", "huggingface", "--license", "cc0-1.0")
    card = (tmp_path / "wine" / "README.md").read_text(encoding="utf-8")

    assert (answer.returncode, answer.stdout) == (0, f"{tmp_path / 'wine'}\n"), answer.stderr
    assert f"of wine/1, run {run_id}" in answer.stderr
    for said in (
        'license: "cc0-1.0"', "# wine", f"| vectors of | wine/1, run {run_id} |", "| text | wines.txt |",
        "| `analogy/google.3cosadd` | 0.5 | 0.4 … 0.6 | 80% |", "| certificate | `c0ffee`", "| training.epochs | 5 |",
    ):  # fmt: skip
        assert said in card
    assert "/data/me" not in card
    assert "loss/training" not in card


def test_a_folder_is_replaced_only_with_force(run_id: str, workspace: Path, tmp_path: Path) -> None:
    """A second export into it is wrong use without --force, and is done with it."""
    words = [tmp_path / "wine", "--format", "huggingface"]
    codes = [export(workspace, *words).returncode for _ in range(2)]

    assert [*codes, export(workspace, *words, "--force").returncode] == [0, 2, 0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["v.npy", "--license", "mit"], "--license mit: not written in this format\nexpected  --format huggingface"),
        (
            ["v", "--format", "huggingface", "--license", "All rights reserved"],
            "not the name of a licence\nexpected  a name as the Hugging Face Hub lists them",
        ),
    ],
)
def test_a_licence_that_would_be_lost_is_refused(words: list[str], said: str, workspace: Path, tmp_path: Path) -> None:
    """A licence without a card, or one that the Hub does not know as such, is wrong use."""
    answer = export(workspace, tmp_path / words[0], *words[1:])

    assert answer.returncode == 2
    assert said in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_command_offers_each_format() -> None:
    """The formats of the command are those that can be written."""
    assert {each.value for each in Format} == (
        formats.WRITERS.keys() | formats.DESCRIBED.keys() | formats.WITH_SUBWORDS.keys()
    )
