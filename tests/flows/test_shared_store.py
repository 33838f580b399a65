"""Two machines with one remote: what the first has computed, the second reuses."""

import shutil
from pathlib import Path

import pytest

from configs.loading import load
from configs.schema import Config
from flows import outbox, retention
from flows.cli.output import verify
from flows.planning.pipeline import Outputs, pipeline
from flows.planning.plan import plan
from flows.query import vectors
from tasks.engine.outputs.readiness import address_of
from tasks.engine.stage import Context
from tasks.engine.store import SHARED, Store
from tasks.maintenance.garbage import Policy
from tests.support.retraining import retrain


class Machine:
    """A workspace with its own MLflow, and the config of all machines."""

    def __init__(self, folder: Path, database: Path, config: Config, remote: str) -> None:
        folder.mkdir()
        shutil.copy(database, folder / "mlflow.db")
        self.workspace = folder
        sections = config.model_dump(mode="json", exclude_defaults=True) | {"runtime": {}}
        self.settings = [
            f"{section}.{key}={value!r}".replace("True", "true").replace("False", "false")
            for section, values in sections.items() if isinstance(values, dict) for key, value in values.items()
        ]  # fmt: skip
        self.settings += [f"runtime.workspace={str(folder)!r}", f"runtime.remote={remote}", "name=topics"]

    @property
    def config(self) -> Config:
        return load(None, self.settings)

    @property
    def outputs(self) -> Outputs:
        planned = plan(self.config)
        assert planned.nothing_to_do
        return planned.outputs


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory, database: Path, corpus: Path) -> tuple[Machine, Machine]:
    """Return two machines; the first has retrained."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "mnt").mkdir()
    config = Config.model_validate({
        "ingestion": {"source": str(corpus), "text_documents": "line"},
        "vocabulary": {"min_count": 1, "subsample": 0.0},
        "training": {"vector_size": 8, "epochs": 2, "batch_size": 32, "damping": 0.5},
        "evaluation": {"probes": ["seaa", "skya"]},
    })  # fmt: skip
    a, b = (Machine(folder / name, database, config, f"file://{folder}/mnt") for name in "ab")
    retrain(a.settings)
    return a, b


@pytest.fixture
def first(machines: tuple[Machine, Machine]) -> Machine:
    return machines[0]


@pytest.fixture
def second(machines: tuple[Machine, Machine]) -> Machine:
    return machines[1]


def test_an_empty_disk_reuses_everything(first: Machine, second: Machine) -> None:
    """The second machine plans no work, fetches only what is read, and has the same vectors in a run of its own."""
    there = second.outputs
    assert there.evaluation.digest == first.outputs.evaluation.digest
    assert there.trained.vectors.absent > 0

    retrain(second.settings)

    outputs = second.outputs
    assert outputs.trained.vectors.absent == 0
    assert outputs.trained.draws[1].absent > 0
    assert vectors.load(second.workspace).words == vectors.load(first.workspace).words


def test_other_settings_fetch_what_they_need(second: Machine) -> None:
    """Another training on the second machine reads the windows that the first has drawn."""
    config = load(None, [*second.settings, "training.learning_rate=0.01"])
    context = Context(runtime=config.runtime)

    outputs = pipeline(config, lambda stage, **arguments: stage.compute(context=context, **arguments))

    assert all(draw.absent == 0 for draw in outputs.trained.draws)
    assert outputs.trained.vectors.digest != second.outputs.trained.vectors.digest


def test_vectors_come_back_after_a_loss(first: Machine) -> None:
    """The vectors of the last retraining are fetched again if the local store has lost them."""
    words = vectors.load(first.workspace).words
    shutil.rmtree(first.outputs.trained.vectors.path)

    assert vectors.load(first.workspace).words == words


def test_verify_reads_the_remote(first: Machine) -> None:
    """Outputs in the remote are checked to the byte; those that are not here are no fault."""
    run = retention.survey(first.workspace, _runs(first))[0].id
    found = {finding.subject: finding for finding in _verify(first, run)}
    assert all(finding.good is not False for finding in found.values())
    assert "8 of 8 shared" in found["remote"].text

    key = first.outputs.evaluation.key
    file = next(Path(address_of(first.workspace).removeprefix("file://")).glob(f"outputs/evaluation/{key}/*.parquet"))
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    faults = [finding for finding in _verify(first, run) if finding.good is False]
    file.write_bytes(content)

    assert {finding.subject for finding in faults} == {"remote"}
    assert "evaluation does not verify" in faults[0].text


def test_garbage_collection_asks_for_the_runs_of_both(second: Machine) -> None:
    """The second machine deletes nothing that the first may use, whose MLflow it cannot ask."""
    _, remote = retention.collect_all(second.workspace, address_of(second.workspace), Policy(0, 0), dry_run=True)

    assert {run.status for run in remote.runs} == {"FINISHED", "UNKNOWN"}
    assert not [item for item in remote.garbage if item.path.parts[1] in ("ingestion", "tokenization")]


def test_sync_shares_what_waits(first: Machine) -> None:
    """Outputs that were made while the remote was away are put there by `w2v sync`."""
    evaluation = first.outputs.evaluation
    evaluation.path.with_suffix(SHARED).unlink()
    folder = Path(address_of(first.workspace).removeprefix("file://")) / "outputs/evaluation" / evaluation.key
    shutil.rmtree(folder)

    assert outbox.share(first.workspace) == 1
    assert folder.exists()
    assert outbox.share(first.workspace) == 0


def _runs(machine: Machine) -> list[str]:
    return sorted(path.name for path in (machine.workspace / "uses").iterdir() if not path.name.startswith("."))


def _verify(machine: Machine, run_id: str) -> list[verify.Finding]:
    from tasks.tracking import address
    from tasks.tracking.run import Run

    run = Run(address.runs_of(machine.workspace), run_id)
    return list(verify.verify(run, Store(machine.workspace / "store", address_of(machine.workspace))))
