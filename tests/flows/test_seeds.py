"""Several seeds in one parent run, and their comparison, on a real Prefect server and a real MLflow database."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from rich.console import Console

from configs.schema import Config
from flows.cli.output import comparison, outcomes
from flows.retrain import retrain
from flows.seeds import Seeds, retrain_seeds
from tasks.comparison.seeds import spreads
from tasks.errors import TrackingError
from tasks.tracking import address, registry

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(scope="module")
def done() -> list[Seeds]:
    """The results of the first test, for the following ones."""
    return []


@pytest.fixture
def two(config: Config, done: list[Seeds], tmp_path: Path) -> Seeds:
    """Two seeds, evaluated on pairs that a model of the topics gets right."""
    if not done:
        pairs = tmp_path / "pairs.tsv"
        pairs.write_text("seaa\tseab\t9\nskya\tskyb\t8\nsuna\tsunb\t7\nseaa\tskyb\t1\nskya\tsuna\t2\n")
        judges = config.evaluation.model_copy(update={"similarity": [str(pairs)], "bootstrap": 50})
        done.append(retrain_seeds(config.model_copy(update={"evaluation": judges, "seed": 11}), 2))
    return done[0]


def test_one_parent_has_the_seeds_and_their_spread(config: Config, two: Seeds) -> None:
    """Both runs are its children; for two values the mean is their middle, the deviation |a − b| / √2."""
    client = MlflowClient(address.uri(config))
    parent = client.get_run(two.run_id)
    children = client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{two.run_id}'")
    loss = [child.data.metrics["loss/held_out"] for child in children]

    assert {child.info.run_id for child in children} == {run.run_id for run in two.runs.values()}
    assert sorted(child.data.params["seed"] for child in children) == ["11", "12"]
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["loss/held_out"] == pytest.approx(sum(loss) / 2, rel=1e-5)
    assert parent.data.metrics["deviation/held_out"] == pytest.approx(abs(loss[0] - loss[1]) / 2**0.5, abs=1e-4)
    assert {file.path for file in client.list_artifacts(two.run_id, "scores")} == {"scores/seeds.csv"}


def test_no_variant_is_put_forward(config: Config, two: Seeds) -> None:
    """Each seed has a version, but no decision was made about it and no alias is on it."""
    model = registry.model(address.uri(config), config.tracking.registered_model)
    versions = [model.of_run(run.run_id) for run in two.runs.values()]

    assert [version.decisions for version in versions] == [[], []]
    assert not {version.number for version in versions} & set(model.aliases.values())


def test_preparation_is_shared(two: Seeds) -> None:
    """Documents, tokens, vocabulary and held-out windows are shared; draws and vectors differ."""
    one, other = (run.outputs.trained for run in two.runs.values())

    assert one[:3] == other[:3]
    assert one.held_out.digest == other.held_out.digest
    assert one.draws[0].digest != other.draws[0].digest
    assert one.vectors.digest != other.vectors.digest


def test_the_same_seeds_again_are_nothing_to_do(config: Config, two: Seeds) -> None:
    """Each seed's run and the parent are reused."""
    client = MlflowClient(address.uri(config))
    before = len(client.search_runs(["1"]))
    settings = {"evaluation": two_judges(two, config), "seed": 11}

    assert retrain_seeds(config.model_copy(update=settings), 2).run_id == two.run_id
    assert retrain(config.model_copy(update=settings | {"seed": 12})).run_id == two.runs[12].run_id
    assert len(client.search_runs(["1"])) == before


def two_judges(two: Seeds, config: Config) -> object:
    """The judges of the fixture, read back from what they left."""
    return config.evaluation.model_validate(two.runs[11].outputs.evaluation.manifest.inputs["config"])


def test_noise_by_hand() -> None:
    """1, 2, 3 have mean 2 and deviation 1; intervals, and scores that a seed lacks, are left out."""
    found = spreads([{"a/x": 1.0, "interval/x.low": 0, "b/y": 5}, {"a/x": 2.0}, {"a/x": 3.0, "b/y": 5}])

    assert found == [("a/x", 2.0, 1.0, [1.0, 2.0, 3.0])]


def test_two_seeds_compared(workspace: Path, config: Config, two: Seeds, capsys: pytest.CaptureFixture[str]) -> None:
    """From MLflow's data: only the seed differs, J(θ) can be compared, and the page is logged with each run."""
    ids = [run.run_id for run in two.runs.values()]
    found, page = comparison.compare(workspace, ids, None)
    comparison.show(Console(width=200), found, page)
    outcomes.show_seeds(Console(width=200), two)
    said = capsys.readouterr().out

    assert found.differing == {"seed": ["11", "12"]}
    assert found.against[0].notes == []
    assert found.against[0].verdicts["similarity/pairs"].items == 5
    assert found.against[0].space.shared == 24
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "P(B better)" in said
    assert f"w2v compare {' '.join(ids)}" in said
    client = MlflowClient(address.uri(config))
    for run_id in ids:
        assert [file.path for file in client.list_artifacts(run_id, "comparisons")] == [f"comparisons/{page.name}"]


def test_a_run_without_scores_is_refused(workspace: Path, two: Seeds) -> None:
    """The parent has no scores: the error says what was expected and which run to name."""
    with pytest.raises(TrackingError, match=f"run {two.run_id} .*\nexpected  scores/evaluation.parquet .*\n.*\nName"):
        comparison.compare(workspace, [two.run_id, two.runs[11].run_id], None)
    with pytest.raises(TrackingError, match="there is no run nobody\n"):
        comparison.compare(workspace, ["nobody"], None)
