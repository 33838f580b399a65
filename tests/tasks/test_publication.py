"""Publication makes one complete run, the same however often, and a model that serves alone."""

import json
import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from configs.schema import Config, Evaluation, Ingestion, Runtime, Tracking
from tasks import certificate as certificate_module
from tasks.datasets import contracts
from tasks.datasets.files import digest_of_file
from tasks.engine import environment, kernels
from tasks.engine.stage import Context
from tasks.errors import InputError, TrackingError
from tasks.publication import publish, write_artifacts
from tasks.reports import figures, tables
from tasks.tracking import address, heartbeat, names
from tasks.tracking import client as tracking_client
from tasks.tracking import models as tracking_models
from tasks.tracking.contents.vectors import vectors_of
from tasks.tracking.run import Run, legible
from tasks.tracking.session import Tracker
from tasks.vectors import tables as vector_tables
from tests.support.consumers import installed, said
from tests.support.runs import finish_run, start_run
from tests.support.trained import TEXT, finished_stages
from tests.support.word2vec_files import read_binary, read_text
from w2v_core.measures.documents import Documents

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETS = {
    "pairs.tsv": "alpha0\talpha1\t9\nbeta0\tbeta1\t8\nalpha0\tbeta0\t2\nalpha2\tzebra\t1\n",
    "family.txt": ": =one\nalpha0 alpha1 beta0 beta1\n",
}
WORDS = [f"{name}{number}" for number in range(20) for name in ("alpha", "beta", "gamma")]


def clustered() -> Any:
    """Return three clusters of twenty words in eight dimensions."""
    rng = np.random.default_rng(0)
    return np.tile(np.eye(8)[:3], (20, 1)) + 0.2 * rng.normal(size=(60, 8))


BEGUN = clustered() + 0.2 * np.random.default_rng(1).normal(size=(60, 8))  # after an epoch of two


class Published(NamedTuple):
    config: Config
    client: "MlflowClient"
    run_id: str
    stages: dict[str, Any]
    context: Context
    snapshots: list[dict[str, Any]]  # after the first time, and after the second


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Change to an unrelated working directory."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, elsewhere: Path) -> Published:
    """Return a run published twice."""
    folder = tmp_path_factory.mktemp("published")
    for name, text in SETS.items():
        (folder / name).write_text(text)
    runtime = Runtime(workspace=str(folder / "workspace"))
    judges = Evaluation(similarity=[str(folder / "pairs.tsv")], analogies=[str(folder / "family.txt")], bootstrap=50)
    config = Config(name="vectors", ingestion=Ingestion(source="text.txt"), runtime=runtime, evaluation=judges)
    run_id = start_run(config, "flow-1")
    context = Context(runtime=runtime, tracking_uri=address.uri(config), run_id=run_id)
    stages = finished_stages(config, context, WORDS, clustered())
    with tracking_client.reached(context.tracking_uri) as client:
        snapshots = []
        for _ in range(2):
            publish.fn(config=config, **stages, context=context)
            snapshots.append(snapshot(client, run_id))
        return Published(config, client, run_id, stages, context, snapshots)


def snapshot(client: "MlflowClient", run_id: str) -> dict[str, Any]:
    """Return everything of a run that a second publication could have changed."""
    run = client.get_run(run_id)
    experiment = run.info.experiment_id
    models = client.search_logged_models([experiment])
    points = {key: client.get_metric_history(run_id, key) for key in run.data.metrics}
    return {
        "runs": [each.info.run_id for each in client.search_runs([experiment])],
        "status": run.info.status,
        "params": run.data.params,
        "tags": {name: value for name, value in run.data.tags.items() if name != heartbeat.BEAT},
        "points": {key: [(each.step, each.value, each.timestamp) for each in found] for key, found in points.items()},
        "inputs": sorted((each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs),
        "outputs": [each.model_id for each in run.outputs.model_outputs],
        "models": [(each.model_id, str(each.status), len(each.metrics)) for each in models],
        "versions": [each.version for each in client.search_model_versions("name = 'vectors'")],
        "artifacts": {path: path.stat().st_size for path in artifacts(client, run_id).rglob("*") if path.is_file()},
    }


def artifacts(client: "MlflowClient", run_id: str) -> Path:
    return Path(client.get_run(run_id).info.artifact_uri)


def test_publishing_again_changes_nothing(published: Published) -> None:
    """A second publication adds no run, point, input, file, model or version, and leaves the run open."""
    first, second = published.snapshots

    assert first == second
    assert first["runs"] == [published.run_id]
    assert first["status"] == "RUNNING"
    assert first["versions"] == [1]
    tags = published.client.get_logged_model(first["outputs"][0]).tags
    assert json.loads(tags["mlflow.modelVersions"]) == [{"name": "vectors", "version": "1"}]
    assert first["models"] == [
        (first["outputs"][0], "READY", len(published.stages["evaluation"].manifest.facts["metrics"]))
    ]


def test_nothing_is_left_elsewhere(published: Published, elsewhere: Path) -> None:
    """No default database or artifact folder is created outside the workspace, also after reading vectors back."""
    vectors_of(Run(address.uri(published.config), published.run_id))

    assert list(elsewhere.iterdir()) == []


def test_every_stage_is_an_input_by_its_content(published: Published) -> None:
    """Inputs have name, digest, schema and rows; evaluation sets, too; one entry for all draws."""
    inputs = {each.dataset.name: each for each in published.client.get_run(published.run_id).inputs.dataset_inputs}

    assert set(inputs) == {"documents", "tokens", "vocabulary", "windows", "held-out", "vectors", "pairs", "family"}
    for name in ("documents", "tokens", "vocabulary", "vectors"):
        assert inputs[name].dataset.digest == published.stages[name].digest
    assert json.loads(inputs["windows"].dataset.profile)["rows"] == 4
    assert [tag.value for tag in inputs["windows"].tags] == ["training"]
    columns = json.loads(inputs["vectors"].dataset.schema)["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("word", "string"), ("count", "long"), ("input", "array"), ("output", "array"),
    ]  # fmt: skip


def test_curves_over_words_and_scores_as_bars(published: Published) -> None:
    """A curve has points over words read; a single score is at step 0, which MLflow shows as a bar."""
    points = published.snapshots[0]["points"]

    assert [step for step, *_ in points["loss/training"]] == [1_000, 2_000, 3_000, 4_000]
    assert [value for _, value, _ in points["speed/words_per_second"]] == [0, 1e5, 1e5, 1e5, 1e5]
    assert [step for step, *_ in points["loss/held_out"]] == [0, 2_000, 4_000, 4_000]
    for name, value in published.stages["evaluation"].manifest.facts["metrics"].items():
        assert (4_000 if name == "loss/held_out" else 0, legible(value)) in [point[:2] for point in points[name]]
        assert name.count("/") == 1
    assert len(points) <= 40


def test_files_of_a_run(published: Published) -> None:
    """The run has all files that the report names."""
    folder = artifacts(published.client, published.run_id)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    assert found == {
        "config.json", "environment.json", "reproducibility.json", "report.md", "figures/loss.png", "figures/words.png",
        "vectors/vectors.npy", "vectors/vocabulary.parquet", "vectors/vectors.txt.gz", "vectors/vectors.bin",
        "scores/analogies.csv", "scores/neighbors.csv", "scores/evaluation.parquet", "scores/bands.csv",
        *(f"manifests/{name}.json" for name in (
            "documents", "tokens", "vocabulary", "held-out", "windows-000", "windows-001", "vectors", "evaluation")),
    }  # fmt: skip
    assert {"git", "cpu", "blas", "packages"} <= set(json.loads((folder / "environment.json").read_text()))


def test_the_certificate(published: Published) -> None:
    """It contains the digest of every other file and of the tables' numbers, and a tag has its own digest."""
    run = Run(published.context.tracking_uri, published.run_id)
    certificate = certificate_module.read(run)
    folder = artifacts(published.client, published.run_id)
    table = clustered().astype("<f4")

    assert certificate["artifacts"].keys() == certificate_module.digests(folder).keys() - {names.CERTIFICATE}
    assert certificate["artifacts"]["vectors/vectors.npy"] == digest_of_file(folder / "vectors" / "vectors.npy")
    assert certificate["tables"]["input"] == blake2b(table.tobytes(), digest_size=16).hexdigest()
    assert certificate["stages"]["held-out"] == published.stages["held_out"].digest
    assert certificate["kernels"]["blas"] == kernels.kernels()["blas"]
    assert {"avx2", "sse2"} & set(certificate["system"]["cpu"]["features"])
    assert certificate["packages"]["numpy"] == np.__version__
    assert len(certificate["code"]["lock"]) == 32

    whole = (folder / names.CERTIFICATE).read_bytes()
    (folder / names.CERTIFICATE).write_bytes(whole + b" ")
    with pytest.raises(TrackingError, match=r"reproducibility.json does not match the run's tag"):
        certificate_module.read(run)
    (folder / names.CERTIFICATE).write_bytes(whole)


def test_vectors_come_back(published: Published) -> None:
    """Vectors are loaded by run id, memory-mapped, and equal those of both word2vec files."""
    words, counts, table, rules, _ = vectors_of(Run(address.uri(published.config), published.run_id))
    folder = artifacts(published.client, published.run_id) / "vectors"

    assert words == WORDS
    assert rules == TEXT
    assert counts.tolist() == list(range(60, 0, -1))
    assert isinstance(table, np.memmap)
    np.testing.assert_array_equal(table, clustered().astype(np.float32))
    np.testing.assert_array_equal(read_binary(folder / "vectors.bin")[1], table)
    np.testing.assert_allclose(read_text(folder / "vectors.txt.gz")[1], table, rtol=5e-6)


@pytest.fixture(scope="module")
def model(published: Published):
    from mlflow import pyfunc

    return pyfunc.load_model(published.client.get_model_version("vectors", "1").source)


def ask(model, words: list[str], **params: Any) -> list[dict[str, Any]]:
    return model.predict(pd.DataFrame({"word": words}), params=params).to_dict("records")


def test_the_model_gives_neighbors(model) -> None:
    """The model returns a row per word in the order asked, as NumPy computes it; an unknown word is no error."""
    unit = clustered() / np.linalg.norm(clustered(), axis=1, keepdims=True)
    nearest = np.argsort(-(unit @ unit[4]))[1:4]
    beta1, zebra, upper, hyphened = ask(model, ["beta1", "zebra", "BETA1", "\ufeffBe\u00adta1"], k=3)

    assert beta1["known"]
    assert beta1["neighbors"] == [WORDS[row] for row in nearest]
    assert beta1["similarities"] == pytest.approx(unit[nearest] @ unit[4], abs=1e-6)
    assert zebra == {"word": "zebra", "known": False, "neighbors": [], "similarities": []}
    assert upper["neighbors"] == hyphened["neighbors"] == beta1["neighbors"]  # by the rules that it carries


def test_the_model_gives_vectors(model) -> None:
    """The model returns exactly the trained numbers."""
    beta1, zebra = ask(model, ["beta1", "zebra"], what="vectors")

    assert beta1["vector"] == clustered().astype(np.float32)[4].tolist()
    assert zebra == {"word": "zebra", "known": False, "vector": []}


def test_the_model_completes_analogies(model) -> None:
    """Answers are those of NumPy without the three words; an unknown word leaves it open; two words are invalid."""
    unit = clustered() / np.linalg.norm(clustered(), axis=1, keepdims=True)
    a, b, c = (WORDS.index(word) for word in ("alpha0", "beta0", "alpha1"))
    query = unit[b] - unit[a] + unit[c]
    best = [row for row in np.argsort(-(unit @ query)) if row not in (a, b, c)][:2]
    known, unknown = ask(model, ["alpha0 beta0 alpha1", "alpha0 zebra alpha1"], what="analogies", k=2)

    assert known["neighbors"] == [WORDS[row] for row in best]
    assert known["similarities"] == pytest.approx(unit[best] @ query / np.linalg.norm(query), abs=1e-6)
    assert not unknown["known"]
    with pytest.raises(Exception, match="expected three words for each analogy; found alpha0 beta0"):
        ask(model, ["alpha0 beta0"], what="analogies")


def test_the_model_gives_vectors_of_texts(model) -> None:
    """They are those of the core, without unknown words; a text of such alone is not known."""
    text, nothing = ask(model, ["Alpha0, zebra: BETA1!", "zebra"], what="documents")
    rows = [WORDS.index("alpha0"), WORDS.index("beta1")]
    expected = Documents(clustered().astype(np.float32), np.arange(60, 0, -1)).vectors([rows])[0]

    assert text["known"]
    assert text["vector"] == expected.tolist()
    assert nothing == {"word": "zebra", "known": False, "vector": [0] * len(expected)}


@pytest.mark.parametrize("params", [{"what": "synonyms"}, {"k": 0}])
def test_the_model_refuses_what_it_cannot_do(model, params: dict[str, Any]) -> None:
    """The message names the valid queries."""
    with pytest.raises(
        Exception, match=r"expected what = neighbors or vectors or analogies or documents and k ≥ 1; found"
    ):
        ask(model, ["beta1"], **params)


def test_more_neighbors_than_words(model) -> None:
    """All other words are returned, each once."""
    assert sorted(ask(model, ["beta1"], k=1_000)[0]["neighbors"]) == sorted(set(WORDS) - {"beta1"})


def test_the_model_is_code_and_data(published: Published) -> None:
    """The model has no pickle, imports nothing of this project, and pins its requirements."""
    folder = Path(published.client.get_model_version("vectors", "1").source)
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    requirements = (folder / "requirements.txt").read_text().split()

    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib"))]
    assert not {"tasks", "w2v_core", "configs"} & {
        line.split()[1] for line in tracking_models.CODE.read_text().splitlines() if "import" in line
    }
    assert [line.split("==")[0] for line in requirements] == ["mlflow-skinny", "numpy", "pandas"]


@pytest.mark.long
def test_the_model_opens_where_its_requirements_are_and_nothing_else(
    published: Published, model, tmp_path: Path
) -> None:
    """In an environment of mlflow-skinny, NumPy and pandas it gives neighbours and vectors of texts as here."""
    folder = published.client.get_model_version("vectors", "1").source
    python = installed(tmp_path / "env", *Path(folder, "requirements.txt").read_text().split())
    code = """
import json, sys, pandas
from mlflow import pyfunc
model = pyfunc.load_model(sys.argv[1])
asked = pandas.DataFrame({"word": ["BETA1"]})
found = [model.predict(asked, params={"what": what}) for what in ("neighbors", "documents")]
print(json.dumps([each.to_dict("records")[0] for each in found] + ["pyarrow" in sys.modules]))
"""
    near, text, pyarrow = json.loads(said(python, code, folder))

    assert not pyarrow
    assert near == ask(model, ["BETA1"])[0]
    assert text == ask(model, ["BETA1"], what="documents")[0]


def test_models_are_found_by_what_judged_them(published: Published) -> None:
    """The best model on a set is found by a query: metrics are linked to model and set digest."""
    digest = published.stages["evaluation"].manifest.inputs["outside"]["pairs"]
    experiment = published.client.get_run(published.run_id).info.experiment_id

    def search(digest: str) -> list[Any]:
        sets = [{"dataset_name": "pairs", "dataset_digest": digest}]
        return published.client.search_logged_models([experiment], "metrics.`similarity/pairs` > -2", datasets=sets)

    assert [each.model_id for each in search(digest)] == published.snapshots[0]["outputs"]
    assert search("another") == []


@pytest.fixture(scope="module")
def grown(published: Published) -> Published:
    """Return a run that keeps the vectors of its first epoch, published twice."""
    run_id = start_run(published.config, "flow-grown")
    context = published.context.model_copy(update={"run_id": run_id})
    stages = finished_stages(published.config, context, WORDS, clustered(), earlier=BEGUN)
    snapshots = []
    for _ in range(2):
        publish.fn(config=published.config, **stages, context=context)
        snapshots.append(snapshot(published.client, run_id))
    return published._replace(run_id=run_id, stages=stages, context=context, snapshots=snapshots)


def models_of(run: Published) -> list[Any]:
    """Return the models of a run as they were logged, with their steps."""
    outputs = run.client.get_run(run.run_id).outputs.model_outputs
    return [(each.step, run.client.get_logged_model(each.model_id)) for each in sorted(outputs, key=lambda o: o.step)]


def test_each_epoch_kept_is_a_model_with_its_scores(grown: Published) -> None:
    """Two models at the steps of words read; only the final one is a version; publishing twice adds none."""
    facts = grown.stages["evaluation"].manifest.facts
    (begun_at, begun), (done_at, done) = models_of(grown)

    assert grown.snapshots[0] == grown.snapshots[1]
    assert (begun.name, begun_at) == ("word-vectors-epoch-001", 2_000)
    assert (done.name, done_at) == ("word-vectors", 4_000)
    for model, scores in ((begun, facts["epochs"]["1"]), (done, facts["metrics"])):
        assert {metric.key: metric.value for metric in model.metrics} == {key: legible(scores[key]) for key in scores}
    assert {metric.dataset_name for metric in begun.metrics} == {"held-out", "vectors", "pairs", "family"}
    assert ["mlflow.modelVersions" in each.tags for each in (begun, done)] == [False, True]


def test_a_version_says_who_made_it(published: Published) -> None:
    """Its description names user, run and text; the table of runs has its columns."""
    run = published.client.get_run(published.run_id)
    (version,) = published.client.search_model_versions(f"run_id = '{run.info.run_id}'")
    experiment = published.client.get_experiment(run.info.experiment_id)

    assert version.description.startswith("**vectors**: vectors of ")
    assert f"Made by {environment.user()} with w2v " in version.description
    assert "similarity/pairs" in experiment.tags[names.VIEW]
    assert run.data.tags[names.NOTE].startswith(f"[The versions in time](#/experiments/1/runs/{run.info.run_id}/")


def test_figures_have_the_digits_that_tell_something() -> None:
    """Six of them; whole numbers keep all of theirs."""
    assert [legible(value) for value in (92.62968076828395, 0.00131422715, 123456789.0, -0.0)] == [
        92.6297,
        0.00131423,
        123456789.0,
        0.0,
    ]


def test_scores_grow_over_the_words_seen(published: Published, grown: Published) -> None:
    """Each score is a curve over the steps of the loss; its last value is the final one, under the same key."""
    points = grown.snapshots[0]["points"]
    run = grown.client.get_run(grown.run_id)
    facts = grown.stages["evaluation"].manifest.facts

    for name, value in facts["metrics"].items():
        if name != "loss/held_out":  # that is in the curve, too
            assert [point[:2] for point in points[name]] == [
                (2_000, legible(facts["epochs"]["1"][name])),
                (4_000, legible(value)),
            ]
            assert run.data.metrics[name] == legible(value)
    assert points.keys() == published.snapshots[0]["points"].keys()
    assert "| score | epoch 1 | final |" in run.data.tags["mlflow.note.content"]


def test_the_vectors_of_an_earlier_epoch_come_back(grown: Published) -> None:
    """They come from MLflow alone, memory-mapped; the model answers with them; missing epochs are named."""
    from mlflow import pyfunc

    run = Run(grown.context.tracking_uri, grown.run_id)
    learnt, _ = tracking_models.earlier(run, 1)
    (_, begun), _ = models_of(grown)
    (answer,) = ask(pyfunc.load_model(begun.artifact_location), ["beta1"], what="vectors")

    assert learnt.words == WORDS
    assert isinstance(learnt.table, np.memmap)
    np.testing.assert_array_equal(learnt.table, BEGUN.astype(np.float32))
    assert answer["vector"] == learnt.table[WORDS.index("beta1")].tolist()
    with pytest.raises(InputError, match=r"epoch 2 are not kept\nfound     1; for the final vectors, omit --epoch"):
        tracking_models.earlier(run, 2)


def test_the_result_is_not_found_before_all_is_there(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publication that fails in its last steps leaves a run that does not count as complete."""
    refused = Tracking(experiment="broken").model_copy(update={"registered_model": "bad:name"})  # at the door, else
    config = published.config.model_copy(update={"tracking": refused})
    context = published.context.model_copy(update={"run_id": start_run(config, "flow-broken")})
    with pytest.raises(TrackingError, match="bad:name"):
        publish.fn(config=config, **published.stages, context=context)
    finish_run(config, "flow-broken", "FINISHED")

    assert Tracker(config).find_finished(published.stages["evaluation"].key) is None


def test_words_with_white_space_are_in_no_word2vec_file(
    published: Published, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whose readers would take `new york` for two; the run has them with its table, and says so."""
    words = ["new york", "a\u2028b", *WORDS[2:]]
    stages = finished_stages(published.config, published.context, words, clustered(), text="new york")
    manifests = {name: each.manifest for name, each in stages.items() if name != "draws"}
    learnt = vector_tables.load(stages["vectors"])
    with caplog.at_level("WARNING", "w2v"):
        write_artifacts(tmp_path, published.config, learnt, stages["vectors"], stages["evaluation"], manifests, "")

    assert {each.name for each in (tmp_path / "vectors").iterdir()} == {"vectors.npy", "vocabulary.parquet"}
    assert pd.read_parquet(tmp_path / "vectors" / "vocabulary.parquet")["word"].tolist() == words
    assert ["words with white space" in each for each in caplog.messages].count(True) == 1


def test_the_report(published: Published) -> None:
    """It has scores with intervals, neighbours and accounts; a bar in a name breaks no table."""
    page = published.client.get_run(published.run_id).data.tags["mlflow.note.content"]
    rows = {row["score"]: row for row in tables.scores(published.stages["evaluation"].manifest.facts["metrics"])}

    assert "| similarity/pairs |" in page
    assert "| word | nearest neighbours |" in page
    assert "Engine: 2 threads at the preparation of the text, ~150 MB each." in page
    assert rows["similarity/pairs"]["coverage"] == 0.75
    assert rows["analogy/family.3cosadd"]["coverage"] == 1
    assert rows["loss/held_out"] == {
        "score": "loss/held_out",
        "value": pytest.approx(np.log(60)),
        "low": None,
        "high": None,
        "coverage": None,
    }


def test_words_and_names_are_no_markdown(published: Published) -> None:
    """Words break no table of the report and become no links or elements."""
    manifests = {name: each.manifest for name, each in published.stages.items() if name != "draws"}
    judged = manifests["evaluation"]
    near = {"[x](javascript:x)": [("a|b", 1.0), ("<img src=x onerror=alert(1)>", 0.9)], "`y\n# z": [("=1+1", 0.8)]}
    manifests["evaluation"] = judged.model_copy(update={"facts": judged.facts | {"neighbors": near}})
    ingestion = published.config.ingestion.model_copy(update={"source": "`</code><b>.txt"})
    config = published.config.model_copy(update={"name": "<i>*small*|", "ingestion": ingestion})
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    page, plain = (reader.render(tables.markdown(each, manifests)) for each in (config, published.config))

    assert set(re.findall(r"<(\w+)", page)) == set(re.findall(r"<(\w+)", plain))
    assert page.count("<tr>") == plain.count("<tr>")
    assert "<td>a|b, &lt;img src=x onerror=alert(1)&gt;</td>" in page
    assert "<td>`y # z</td>" in page


def test_tables_for_people_hold_no_formula(published: Published) -> None:
    """CSV files for spreadsheets contain no formula, also for an analogy section called `=one`."""
    table = pd.read_csv(artifacts(published.client, published.run_id) / "scores" / "analogies.csv")

    assert table["section"].tolist() == ["'=one", "total"]


def test_analogies_by_section() -> None:
    """Two sections and their total; items not covered count only among the asked ones."""
    import pyarrow as pa

    rows = [
        {
            "judge": judge,
            "set": "s",
            "section": section,
            "item": "a b c",
            "covered": covered,
            "right": covered and right,
        }
        for judge, right in (("3cosadd", True), ("3cosmul", False))
        for section, covered in (("one", True), ("one", False), ("two", True))
    ]
    table = tables.sections(pa.Table.from_pylist(rows, schema=contracts.EVALUATION.schema))

    assert table.to_numpy().tolist() == [["s", "one", 2, 1, 1, 0], ["s", "two", 1, 1, 1, 0], ["s", "total", 3, 2, 1, 0]]
    assert list(table) == ["set", "section", "asked", "covered", "3cosadd", "3cosmul"]


def test_words_of_the_map_do_not_overlap() -> None:
    """No two labels share a pixel, and most words are shown."""
    figure = figures.word_map(WORDS, clustered().astype(np.float32))
    figure.canvas.draw()
    boxes = [text.get_window_extent().extents for text in figure.axes[0].texts]

    for number, (left, bottom, right, top) in enumerate(boxes):
        for other in boxes[:number]:
            assert right <= other[0] or left >= other[2] or top <= other[1] or bottom >= other[3]
    assert len(boxes) > 45


@pytest.mark.parametrize("count", [1, 3, 5, 29, 30])
def test_few_words_are_a_map_too(count: int) -> None:
    """Any number of words gives a map."""
    assert figures.word_map(WORDS[:count], clustered()[:count].astype(np.float32)).axes


def test_words_without_a_font_are_left_out() -> None:
    """Numbers, and scripts without an installed font (Linear A), leave no boxes on the map."""
    words = [f"{word}\U00010600" for word in WORDS] + ["12345"] + WORDS
    figure = figures.word_map(words, np.tile(clustered(), (3, 1))[: len(words)].astype(np.float32))

    assert {text.get_text() for text in figure.axes[0].texts} <= set(WORDS)
    assert figure.axes[0].texts
