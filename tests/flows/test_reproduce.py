"""A past run is rebuilt from what it logged and compared with its certificate, on a real server and database."""

from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from configs.loading import ConfigError
from configs.schema import Config
from flows import reproduce
from flows.cli.output.verify import examine
from flows.query import vectors
from flows.retrain import retrain
from tasks import certificate as certificates
from tasks.errors import InputError
from tasks.tracking import address, names, registry
from tasks.tracking.run import Run

pytestmark = pytest.mark.usefixtures("prefect_server")
RUNS: dict[str, str] = {}


@pytest.fixture
def text(corpus: Path) -> Path:
    """A copy of the corpus that a test may change."""
    path = corpus.with_name("copy.txt")
    if not path.exists():
        path.write_bytes(corpus.read_bytes())
    return path


@pytest.fixture
def run_id(config: Config, text: Path) -> str:
    """The original run."""
    if "original" not in RUNS:
        source = config.ingestion.model_copy(update={"source": str(text)})
        # a seed of its own, so that other tests find nothing of it in the workspace they share
        training = config.training.model_copy(update={"keep_epochs": 2})
        changes = {"ingestion": source, "training": training, "seed": 2}
        RUNS["original"] = retrain(config.model_copy(update=changes)).run_id
    return RUNS["original"]


def in_folder(folder: Path) -> list[str]:
    return [f"runtime.workspace={folder}"]


def test_rebuilt_to_the_bit(run_id: str, workspace: Path, own: Path) -> None:
    """Everything is computed again in a new workspace, as a run that names the original, with identical results."""
    original = reproduce.find(run_id, workspace, in_folder(own))
    assert reproduce.foreseen(original) == []
    done = reproduce.reproduce(original)
    run = MlflowClient(address.workspace_uri(workspace)).get_run(done.run_id)

    assert done.identical
    assert "identical, bit for bit" in reproduce.verdict(original, done)
    assert done.run_id != run_id
    assert (run.info.status, run.data.tags["reproduces"]) == ("FINISHED", run_id)
    assert {path.name for path in (own / "store").iterdir()} >= set(original.certificate["code"]) - {
        "commit", "dirty", "lock",
    }  # fmt: skip
    with pytest.raises(InputError, match="would be reused instead of rebuilt"):
        reproduce.find(run_id, workspace, in_folder(own))
    model = registry.model(address.workspace_uri(workspace), "vectors-reproduced")
    assert model.of_run(done.run_id).decisions == []
    assert model.aliases == {}


def test_what_differs_is_said_before_and_by_how_much_after(run_id: str, workspace: Path, text: Path, own: Path) -> None:
    """A changed text and learning rate are named before anything runs, and the distance of the vectors after."""
    whole = text.read_bytes()
    text.write_bytes(whole + b"seaa skya suna\n" * 5)
    original = reproduce.find(run_id, workspace, [*in_folder(own), "training.learning_rate=0.05"])
    changed = {each.what for each in reproduce.foreseen(original)}
    done = reproduce.reproduce(original)
    text.write_bytes(whole)
    said = reproduce.verdict(original, done)

    assert {"config training.learning_rate", "data ingestion 1 digest"} <= changed
    assert {name.split()[0] for name in changed} == {"config", "data"}
    assert not done.identical
    assert done.distance is not None
    assert done.distance.largest_difference
    assert {each.what for each in done.ingredients} == changed
    assert {"epochs 2 tables input", "epochs 2 scores loss/held_out"} <= {each.what for each in done.outcome}
    assert "  config    training.learning_rate: 0.025 → 0.05" in said
    assert "outputs with other bytes: documents" in said


def test_what_cannot_be_rebuilt(run_id: str, workspace: Path, text: Path, tmp_path: Path) -> None:
    """The original's workspace, an unknown key and missing data are errors before anything runs."""
    with pytest.raises(InputError, match="choose another with --set"):
        reproduce.find(run_id, workspace, in_folder(workspace))
    with pytest.raises(ConfigError, match="did you mean `epochs`"):
        reproduce.find(run_id, workspace, ["training.epoch=3"])
    original = reproduce.find(run_id, workspace, [*in_folder(tmp_path), f"ingestion.source={text}.gone"])
    with pytest.raises(InputError, match="no such file"):
        reproduce.foreseen(original)


def test_an_interrupted_reproduction_may_go_on(run_id: str, workspace: Path, tmp_path: Path) -> None:
    """The store of an interrupted reproduction of the same run is accepted."""
    (tmp_path / "store").mkdir()
    (tmp_path / reproduce.MARK).write_text(run_id)

    assert reproduce.find(run_id, workspace, in_folder(tmp_path)).config.runtime.workspace == str(tmp_path)


def test_vectors_of_an_earlier_epoch(run_id: str, workspace: Path) -> None:
    """The run's model has the same vectors as the store; an epoch that is not kept is an error."""
    latest, logged = vectors.load(workspace, epoch=2), vectors.load(workspace, run_id[:8], epoch=2)

    np.testing.assert_array_equal(latest.table, logged.table)
    assert (latest.table != vectors.load(workspace).table).any()
    for run in (None, run_id):
        with pytest.raises(InputError, match="the vectors of epoch 1 are not kept\nfound     2;"):
            vectors.load(workspace, run, epoch=1)


def test_verify_finds_what_has_changed(run_id: str, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An untouched run is as certified; a changed file, a missing file and a damaged output are each named."""
    assert examine(workspace, run_id[:8]) == 0
    said = capsys.readouterr().out
    assert "✗" not in said
    assert "1 of 1 models are as certified" in said

    client = MlflowClient(address.workspace_uri(workspace))
    folder = Path(client.get_run(run_id).info.artifact_uri)
    certificate = certificates.read(Run(address.workspace_uri(workspace), run_id))
    place = certificate["store"]["vectors"]
    late = {name for name in certificates.digests(folder) if name.startswith("promotion/")}  # is decided afterwards
    files = len(certificates.digests(folder).keys() - late - {"corpus.json", names.NIGHTS, names.CERTIFICATE})
    with (folder / "report.md").open("a") as stream:
        stream.write(" ")
    (folder / "figures" / "loss.png").unlink()
    (model,) = client.search_logged_models(["1"], f"source_run_id = '{run_id}' AND name = 'word-vectors-epoch-002'")
    table = np.load(Path(model.artifact_location) / "artifacts" / "vectors.npy", mmap_mode="r+")
    table[0, 0] += 1
    table.flush()
    (workspace / "store" / place / "curve.parquet").write_bytes(b"")

    assert examine(workspace, run_id) == 1
    said = capsys.readouterr().out
    assert "report.md differs" in said
    assert "figures/loss.png is missing" in said
    assert "the model of epoch 2 differs" in said
    assert "vectors does not verify" in said
    assert f"`w2v reproduce {run_id}` rebuilds it" in said
    assert "Delete the folders named above" in said
    assert f"{files - 2} of {files} are as certified" in said
