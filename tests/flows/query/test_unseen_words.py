"""A word that was never seen has the vector of its n-grams: in queries, over HTTP and in MLflow's model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient, pyfunc

from configs.schema import Config, Evaluation, Ingestion, Runtime
from flows.cli.vectors import neighbors
from flows.query import vectors
from flows.serving.app import LookedUp
from flows.serving.schema import app
from tasks import certificate
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.errors import UnknownWord
from tasks.evaluation.judging import Space
from tasks.publication import publish
from tasks.tracking import address
from tasks.tracking.run import Run
from tests.support.runs import start_run
from tests.support.servers import in_thread
from tests.support.trained import finished_stages
from w2v_core.model import initial, with_parts
from w2v_core.subwords import Grams, Subwords, parts

WORDS = [f"{name}{number}" for number in range(20) for name in ("alpha", "beta", "gamma")]
RARE = "alphabet\talpha0\t9\nbetamax\tbeta0\t8\nalphabet\tbetamax\t1\ngammas\talphas\t2\n東京\talpha0\t3\n"


class Published(NamedTuple):
    workspace: Path
    run: str
    stages: dict[str, Any]
    subwords: Subwords


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A champion with subwords, judged by pairs of which each has a word that was never seen."""
    folder = tmp_path_factory.mktemp("unseen")
    (folder / "rare.tsv").write_text(RARE)
    runtime = Runtime(workspace=str(folder))
    judged = Evaluation(bootstrap=1, similarity=[str(folder / "rare.tsv")])
    config = Config(name="vectors", ingestion=Ingestion(source="text.txt"), runtime=runtime, evaluation=judged)
    rng = np.random.default_rng(0)
    model = with_parts(initial(60, 8, rng=rng), parts(WORDS, Grams(3, 5, 10_000), 8), rng=rng)
    assert model.parts
    context = Context(runtime=runtime, tracking_uri=address.uri(config), run_id=(run := start_run(config, "flow")))
    found = model.parts.subwords
    stages = finished_stages(config, context, WORDS, model.composed().input, subwords=found)
    publish.fn(config=config, **stages, context=context)
    MlflowClient(context.tracking_uri).set_registered_model_alias("vectors", "champion", "1")
    return Published(folder, run, stages, found)


@pytest.fixture(scope="module")
def space(published: Published) -> Space:
    return vectors.space(published.workspace, "champion")


@pytest.fixture(scope="module")
def client(published: Published) -> Iterator[httpx.Client]:
    source = LookedUp(published.workspace, "champion")
    with (
        in_thread(lambda port: app(source)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=3000) as found,
    ):
        yield found


def test_neighbors_are_those_of_the_mean_of_its_ngrams(published: Published, space: Space) -> None:
    """Written in any form; all words of the vocabulary may answer."""
    made = published.subwords.of(["alphabet"])[0]
    unit = space.vectors.unit
    nearest = np.argsort(-(unit @ made), kind="stable")[:5]
    found = vectors.neighbors(space, ["alphabet", "ALPHABET"], 5)

    assert [word for word, _ in found["alphabet"]] == [WORDS[row] for row in nearest]
    assert [cosine for _, cosine in found["alphabet"]] == pytest.approx(unit[nearest] @ made / np.linalg.norm(made))
    assert found["ALPHABET"] == found["alphabet"]
    assert vectors.analogy(space, "alpha0", "alphabet", "beta0", 3)


def test_words_without_a_known_ngram_are_unknown(space: Space) -> None:
    """Two words, and letters that are in no word, have no vector."""
    with pytest.raises(UnknownWord, match="not in the vocabulary of 60 words"):
        vectors.neighbors(space, ["alphabet", "東京"], 5)
    with pytest.raises(UnknownWord, match="is not one word here"):
        vectors.neighbors(space, ["alpha bet"], 5)


def test_http_answers_as_the_command(published: Published, space: Space, client: httpx.Client) -> None:
    """Neighbours and the vector itself; a word without a vector is 404."""
    words = ["alphabet", "beta3"]
    near = client.get("/neighbors", params={"word": words, "k": 4}).json()["answers"]
    vector = client.get("/vectors", params={"word": words}).json()["answers"]
    expected = vectors.neighbors(space, ["alphabet", "beta3"], 4)

    for each in near:
        assert list(zip(each["neighbors"], each["similarities"], strict=True)) == expected[each["word"]]
    np.testing.assert_allclose(vector[0]["vector"], published.subwords.of(["alphabet"])[0], rtol=1e-6)
    assert client.get("/neighbors", params={"word": "東京"}).status_code == 404


def test_the_model_of_mlflow_answers_alone(published: Published, space: Space) -> None:
    """Its files hold the n-grams; `known` says that the word is not in the vocabulary."""
    client = MlflowClient(f"sqlite:///{published.workspace}/mlflow.db")
    model = pyfunc.load_model(client.get_model_version("vectors", "1").source)
    asked = pd.DataFrame({"word": ["alphabet", "beta3", "東京"]})
    near = model.predict(asked, params={"k": 3}).to_dict("records")
    vector = model.predict(asked, params={"what": "vectors"})["vector"]
    (analogy,) = model.predict(
        pd.DataFrame({"word": ["alpha0 alphabet beta0"]}), params={"what": "analogies", "k": 3}
    ).to_dict("records")

    assert [each["known"] for each in near] == [False, True, False]
    for each in near[:2]:
        assert each["neighbors"] == [word for word, _ in vectors.neighbors(space, [each["word"]], 3)[each["word"]]]
    assert near[2]["neighbors"] == vector[2] == []
    np.testing.assert_allclose(vector[0], published.subwords.of(["alphabet"])[0], rtol=1e-6)
    expected = vectors.analogy(space, "alpha0", "alphabet", "beta0", 3)
    assert [analogy["neighbors"]] == [[word for word, _ in answers] for answers in expected.values()]


def test_rare_words_are_judged(published: Published) -> None:
    """All pairs but the one in another script are covered; an unseen word counts as rarer than all others."""
    judged = published.stages["evaluation"]
    rows = contracts.read(judged.files()[0], contracts.EVALUATION)
    pairs = rows.slice(0, 5)

    assert judged.manifest.facts["metrics"]["coverage/rare"] == 0.8
    assert judged.manifest.facts["sets"]["rare"]["first"] == ["東京"]
    assert pairs["covered"].to_pylist() == [True, True, True, True, False]
    assert pairs["rank"].to_pylist() == [60, 60, 60, 60, None]


def test_ngrams_are_certified(published: Published) -> None:
    """The n-grams are in the certificate, as part of what a reproduction compares."""
    tables = certificate.read(Run(f"sqlite:///{published.workspace}/mlflow.db", published.run))["tables"]

    assert tables.keys() == {"words", "input", "output", "subwords"}


def test_the_command_says_who_was_never_seen(published: Published, capsys: pytest.CaptureFixture[str]) -> None:
    """To standard error, since a word may be misspelt; the answer is on standard output alone."""
    neighbors(["alphabet", "beta3"], 3, "champion", None, False, published.workspace)
    said = capsys.readouterr()

    assert said.err.splitlines()[1:] == ["not in the vocabulary, so answered by their n-grams: alphabet"]
    assert "alphabet" in said.out
