"""Only a better model replaces the champion, and every decision stays on record."""

import json
import socket
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mlflow import MlflowClient
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console

from configs.schema import Config, Evaluation, Ingestion, Promotion, Runtime
from flows.cli.output import promotion as commands
from flows.planning.pipeline import Corpus
from flows.query import vectors
from tasks.comparison import published
from tasks.comparison import runs as comparison_runs
from tasks.engine.stage import Context
from tasks.errors import InputError
from tasks.maintenance.garbage import Policy
from tasks.maintenance.survey import survey
from tasks.novelty import novelty
from tasks.orchestration import artifacts
from tasks.promotion import rule
from tasks.promotion.task import promotion
from tasks.publication import publish
from tasks.tracking import address, names, registry
from tasks.tracking.contents.vectors import vectors_of
from tasks.tracking.registry import Decision, Figures, Gate
from tasks.tracking.run import Run
from tests.support.runs import start_run
from tests.support.trained import finished_stages

WORDS = [f"{name}{number}" for number in range(20) for name in ("alpha", "beta", "gamma")]
CONSOLE = Console(width=400)


def gate(**values: float) -> Gate:
    """Return a gate with equal scores on a hundred items, known to within 0.02."""
    equal = {"items": 100, "coverage": 1.0, "champion": 0.5, "challenger": 0.5, "low": -0.02, "high": 0.02}
    return Gate.model_validate({"score": "similarity/pairs", "better": 0.5, **equal, **values})


def figures(*gates: Gate, incomparable: tuple[str, ...] = (), newer_data: bool = True, drift: float = 0.1) -> Figures:
    return Figures(gates=list(gates), incomparable=list(incomparable), newer_data=newer_data, drift=drift, overlap=0.6)


@pytest.mark.parametrize(
    ("found", "objection"),
    [
        (figures(gate()), ""),
        (figures(gate(low=-0.05)), ""),
        (figures(gate(challenger=0.52, low=-0.06, high=0.1)), "may be worse by 0.060, which is more than 0.05"),
        (figures(gate(), gate(challenger=0.3, low=-0.25, high=-0.15)), "may be worse by 0.250"),
        (figures(gate(coverage=0.85)), "it knows only 85.0% of the champion's items"),
        (figures(), "no score to compare"),
        (figures(gate(), incomparable=("analogy/family.3cosadd",)), "analogy/family.3cosadd cannot be compared"),
        (figures(gate(), drift=0.4), "drifted by 0.400"),
    ],
)
def test_what_stands_against_a_challenger(found: Figures, objection: str) -> None:
    """Each clause of the rule alone; one failed gate is enough."""
    objections = rule.objections(found, Promotion(), accept_drift=False)

    assert [objection in each for each in objections] == ([True] if objection else [])


def test_drift_alone_is_accepted_by_word() -> None:
    """--accept-drift allows a drifted space, and nothing else."""
    found = figures(gate(coverage=0.5), drift=0.9)

    assert [each[:10] for each in rule.objections(found, Promotion(), accept_drift=True)] == ["similarity"]


def test_what_speaks_for_a_challenger() -> None:
    """A gate better beyond its interval, or newer data, is a reason; equal scores on old data are none."""
    better = gate(challenger=0.6, low=0.01, high=0.2)

    assert rule.merits(figures(gate(), newer_data=False)) == []
    assert len(rule.merits(figures(better, gate(), newer_data=False))) == 1
    assert len(rule.merits(figures(better, newer_data=True))) == 2


class Story(NamedTuple):
    """Four versions, decided in order except the last: the first; newer data; shuffled words; another seed."""

    config: Config
    workspace: Path
    uri: str
    runs: list[str]
    decisions: list[Decision]

    @property
    def model(self) -> registry.RegisteredModel:
        return registry.model(self.uri, "vectors")

    def again(self, number: int) -> Decision:
        context = Context(runtime=self.config.runtime, tracking_uri=self.uri, run_id=self.runs[number - 1])
        return promotion.fn(config=self.config, context=context)


def clustered(seed: int) -> Any:
    """Return three clusters of twenty words in eight dimensions, with axes rotated by the seed."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    return np.tile(axes[:3], (20, 1)) + 0.1 * np.random.default_rng(0).normal(size=(60, 8)) @ axes


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("champions")
    pairs = [f"{a}\t{b}\t{9 if a[0] == b[0] else 1}" for a, b in combinations(WORDS[:30], 2)]
    (folder / "pairs.tsv").write_text("\n".join(pairs))
    runtime = Runtime(workspace=str(folder / "workspace"))
    judges = Evaluation(similarity=[str(folder / "pairs.tsv")], bootstrap=50)
    config = Config(name="vectors", ingestion=Ingestion(source="text.txt"), runtime=runtime, evaluation=judges)
    found = Story(config, folder / "workspace", address.uri(config), [], [])
    shuffled = clustered(1)[np.random.default_rng(0).permutation(60)]
    for table, text in [(clustered(0), "old"), (clustered(2), "new"), (shuffled, "new"), (clustered(3), "new")]:
        found.runs.append(start_run(config, f"flow {len(found.runs)}"))
        context = Context(runtime=runtime, tracking_uri=found.uri, run_id=found.runs[-1])
        stages = finished_stages(config, context, WORDS, table, text)
        novelty.fn(config=config, **{name: stages[name] for name in Corpus._fields if name in stages}, context=context)
        publish.fn(config=config, **stages, context=context)
        if len(found.runs) < 4:
            found.decisions.append(promotion.fn(config=config, context=context))
    return found


def test_the_story(story: Story) -> None:
    """The first becomes champion; newer data at the same scores win; the shuffled one is kept back."""
    first, newer, shuffled = story.decisions

    assert [each.verdict for each in story.decisions] == ["promoted", "promoted", "kept back"]
    assert [each.against for each in story.decisions] == [None, "1", "2"]
    assert first.figures is None
    assert shuffled.figures is not None
    assert not shuffled.figures.newer_data
    assert {"similarity/pairs may be", "the space has drifted by"} == {
        why[:24].strip() for why in shuffled.why.split("; ")
    }
    assert newer.why == "it was trained on newer data"
    assert newer.figures is not None
    assert newer.figures.gates[0].items == 435
    assert newer.figures.drift < 0.01  # its axes are others, its words lie as they did
    assert story.model.aliases == {"champion": "2", "challenger": "3"}


def test_every_decision_is_on_record(story: Story) -> None:
    """A decision is in the history and in the run, as tag, JSON and Markdown; gc keeps the runs of both aliases."""
    client = MlflowClient(story.uri)
    run = client.get_run(story.runs[2])
    files = [Path(file.path) for file in client.list_artifacts(run.info.run_id, "promotion")]
    kept = Policy(0, 0).keeps([each._replace(status="FINISHED") for each in survey(story.workspace, story.runs)])

    assert story.model.history == story.decisions
    assert run.data.tags["promotion"] == "kept back"
    assert sorted(file.suffix for file in files) == [".json", ".md"]
    text = client.download_artifacts(run.info.run_id, str(next(file for file in files if file.suffix == ".json")))
    assert Decision.model_validate(json.loads(Path(text).read_text())) == story.decisions[2]
    assert set(kept) == set(story.runs[1:3])


def test_what_is_new_in_the_text_is_said(story: Story) -> None:
    """The first version has no news; the second has figures, lists and a line in its report."""
    first, second = (MlflowClient(story.uri).get_run(run).data for run in story.runs[:2])

    assert names.NEWS not in first.tags
    assert second.metrics["corpus/outside"] == 1.0  # its only token is "new"
    assert second.metrics["corpus/divergence"] == 0.0
    assert "Against the corpus of version 1: 1 documents (+0)" in second.tags[names.NEWS]
    assert second.tags[names.NEWS] in Run(story.uri, story.runs[1]).text("report.md")


def test_deciding_again_changes_nothing(story: Story) -> None:
    """A resumed flow finds its decision, also if another version was promoted since."""
    before = story.model

    assert [story.again(number) for number in (1, 2, 3)] == story.decisions
    assert story.model == before


def test_what_was_decided_before_a_kill_is_done(story: Story) -> None:
    """The decision is recorded before the alias is set, so the start after a kill sets it."""
    client = MlflowClient(story.uri)
    client.set_registered_model_alias("vectors", "champion", "1")
    story.again(2)

    assert story.model.aliases["champion"] == "2"


def test_an_alias_names_a_run(story: Story) -> None:
    """`champion` stands for a run of any model; a run's id is unchanged."""
    assert registry.run_id(story.uri, "champion") == story.runs[1]
    assert registry.run_id(story.uri, "vectors@challenger") == story.runs[2]
    assert registry.run_id(story.uri, story.runs[0]) == story.runs[0]
    with pytest.raises(InputError, match="the model 'others' has no champion\n"):
        registry.run_id(story.uri, "others@champion")


def test_a_variant_is_not_put_forward(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """A version without a decision of a retraining is no challenger; by its number it can be judged."""
    assert story.model.aliases["challenger"] == "3"
    assert commands.promote(CONSOLE, story.workspace, "vectors", "4", accept_drift=False, because="") == 1
    said = capsys.readouterr().out
    assert "version 4 is kept back, version 2 stays champion: no gate is better, and its data are not newer" in said


def test_promoted_against_the_rule_and_back(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """A reason makes the challenger champion and is recorded with the objections; rollback goes back step by step."""
    assert commands.promote(CONSOLE, story.workspace, "vectors", "challenger", accept_drift=True, because="a test") == 0
    assert story.model.aliases == {"champion": "3"}
    assert story.model.history[-1].why.startswith("a test; against the rule: similarity/pairs may be worse")
    for back in ("2", "1"):
        commands.rollback(CONSOLE, story.workspace, "vectors", because="it was bad")
        assert story.model.aliases == {"champion": back}
    with pytest.raises(InputError, match="no version to restore"):
        commands.rollback(CONSOLE, story.workspace, "vectors", because="")
    with pytest.raises(InputError, match="version 1 of 'vectors' is the champion already"):
        commands.promote(CONSOLE, story.workspace, "vectors", "1", accept_drift=False, because="")
    capsys.readouterr()

    commands.history(CONSOLE, story.workspace, "others")
    assert "No decision about the model 'others' yet" in capsys.readouterr().out
    commands.history(CONSOLE, story.workspace, "vectors")
    said = capsys.readouterr().out
    assert [line.split()[3] for line in said.splitlines()[1:8]] == [
        "promoted", "promoted", "kept", "kept", "promoted", "restored", "restored"
    ]  # fmt: skip
    assert f"champion    version 1, run {story.runs[0]}" in said


def test_a_reproduction_is_refused(story: Story) -> None:
    """A reproduction cannot be promoted; the message names the original."""
    Run(story.uri, story.runs[3]).tag({names.REPRODUCES: story.runs[0]})
    with pytest.raises(InputError, match=f"version 4 is a reproduction of run {story.runs[0]}"):
        commands.promote(CONSOLE, story.workspace, "vectors", "4", accept_drift=False, because="x")


def test_aligned_to_the_champion(story: Story) -> None:
    """The model has the rotated vectors, the run also those as trained; publishing again changes nothing."""
    aligned = story.config.model_copy(update={"promotion": Promotion(align=True)})
    run = Run(story.uri, start_run(aligned, "flow 4"))
    context = Context(runtime=aligned.runtime, tracking_uri=story.uri, run_id=run.id)
    stages = finished_stages(aligned, context, WORDS, clustered(5))
    publish.fn(config=aligned, **stages, context=context)
    number = story.model.of_run(run.id).number
    digest = run.text("reproducibility.json")
    MlflowClient(story.uri).set_registered_model_alias("vectors", "champion", number)
    publish.fn(config=aligned, **stages, context=context)

    champion, trained = (vectors_of(Run(story.uri, each)).table for each in (story.runs[0], run.id))
    turned = vectors.load(story.workspace, "champion").table
    served = np.load(next((story.workspace / "mlartifacts").rglob(f"*{model_id(run)}*/**/vectors.npy")))
    metrics = MlflowClient(story.uri).get_run(run.id).data.metrics
    np.testing.assert_allclose(trained, clustered(5), atol=1e-6)
    np.testing.assert_allclose(turned, champion, atol=1e-5)
    np.testing.assert_array_equal(turned, served)
    assert metrics["alignment/cosine_before"] < 0.9
    assert metrics["alignment/cosine_after"] == pytest.approx(1)
    assert run.text("reproducibility.json") == digest
    assert "rotated to the axes of version 1: the mean cosine of 60 words" in run.text("report.md")


def model_id(run: Run) -> str:
    (model,) = MlflowClient(run.uri).get_run(run.id).outputs.model_outputs
    return str(model.model_id)


def test_what_cannot_be_compared_is_said(story: Story) -> None:
    """A gate without a score, another edition of a set, and a space without common words are reported."""
    one, other = (published.load(story.uri, run) for run in (story.runs[0], story.runs[2]))
    judged = other.judged.model_copy(update={"inputs": other.judged.inputs | {"outside": {"pairs": "another"}}})
    strange = other.vectors._replace(words=[word.upper() for word in other.vectors.words])

    assert rule.measure(other, one, ["analogy/x.3cosadd"]).incomparable == ["analogy/x.3cosadd"]
    assert rule.measure(other._replace(judged=judged), one, []).incomparable == ["similarity/pairs"]
    assert rule.measure(other._replace(vectors=strange), one, []).drift == 1.0
    assert len(strange.words) > comparison_runs.FEWEST


def test_a_server_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A promotion succeeds without Prefect; the missing notice is a warning."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        nobody = f"http://127.0.0.1:{door.getsockname()[1]}/api"
    monkeypatch.setenv("PREFECT_API_URL", nobody)
    with temporary_settings({PREFECT_API_URL: nobody}):  # the variable alone comes too late
        artifacts.announce_page("page", "promotion", "")

    assert f"could not notify Prefect at {nobody}" in caplog.text
