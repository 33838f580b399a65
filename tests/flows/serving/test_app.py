"""`w2v serve`: requests are answered from the current champion, and wrong ones are explained."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from mlflow import MlflowClient
from prometheus_client.parser import text_string_to_metric_families

from configs.schema import Config, Evaluation, Ingestion, Runtime
from flows.access.admission import limits
from flows.query import vectors
from flows.serving import app as serving_app
from flows.serving.schema import app
from tasks.engine.stage import Context
from tasks.errors import InputError, PipelineError, TrackingError
from tasks.publication import publish
from tasks.tracking import address
from tests.support.attacks import attack, elsewhere
from tests.support.browser import MISSING, Browser, browser
from tests.support.runs import start_run
from tests.support.servers import in_thread
from tests.support.trained import finished_stages
from w2v_core.measures.documents import Documents

CURL = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
W2V = Path(sys.executable).parent / "w2v"
WORDS = [f"{name}{number}" for number in range(20) for name in ("alpha", "beta", "gamma")]


class Models(NamedTuple):
    """Two published runs; the first is champion."""

    workspace: Path
    runs: list[str]
    tables: list[Any]

    def promote(self, version: int) -> None:
        MlflowClient(f"sqlite:///{self.workspace}/mlflow.db").set_registered_model_alias(
            "vectors", "champion", str(version)
        )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    workspace = tmp_path_factory.mktemp("served")
    runtime = Runtime(workspace=str(workspace))
    judged = Evaluation(bootstrap=1)
    config = Config(name="vectors", ingestion=Ingestion(source="text.txt"), runtime=runtime, evaluation=judged)
    found = Models(workspace, [], [])
    for seed in range(2):
        table = np.random.default_rng(seed).normal(size=(60, 8)).astype(np.float32)
        run_id = start_run(config, f"flow {seed}")
        context = Context(runtime=runtime, tracking_uri=address.uri(config), run_id=run_id)
        publish.fn(config=config, **finished_stages(config, context, WORDS, table), context=context)
        found.runs.append(run_id)
        found.tables.append(table)
    found.promote(1)
    return found


@pytest.fixture(scope="module")
def served(models: Models) -> serving_app.LookedUp:
    return serving_app.LookedUp(models.workspace, "champion")


@pytest.fixture
def source(models: Models, served: serving_app.LookedUp) -> serving_app.LookedUp:
    """The source, set back to the first champion."""
    models.promote(1)
    served.look()
    return served


def listening(inside: Any, access: serving_app.Access) -> AbstractContextManager[int]:
    """Serve in a thread, as `w2v serve` does; give the port."""
    return in_thread(lambda port: access.guarded(inside, port), **limits())


@pytest.fixture(scope="module")
def access(models: Models) -> serving_app.Access:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(serving_app.PASSWORD, raising=False)
        return serving_app.Access(models.workspace, "127.0.0.1")


@pytest.fixture(scope="module")
def port(served: serving_app.LookedUp, access: serving_app.Access) -> Iterator[int]:
    with listening(app(served), access) as port:
        yield port


@pytest.fixture(scope="module")
def client(port: int, access: serving_app.Access) -> Iterator[httpx.Client]:
    """A client with the password."""
    assert access.netrc
    address, auth = f"http://127.0.0.1:{port}", httpx.NetRCAuth(str(access.netrc))
    with httpx.Client(base_url=address, auth=auth, trust_env=False, timeout=3000) as found:
        yield found


def test_neighbors_are_those_of_the_command(models: Models, client: httpx.Client) -> None:
    """Answers are in the order of the words, repeated words included; unknown ones are looked up in lower case."""
    expected = vectors.neighbors(vectors.space(models.workspace, "champion"), ["beta3", "alpha0"], 4)
    answer = client.get("/neighbors", params={"word": ["beta3", "ALPHA0", "beta3"], "k": 4}).json()

    assert answer["run"] == models.runs[0]
    assert [each["word"] for each in answer["answers"]] == ["beta3", "ALPHA0", "beta3"]
    for each, word in zip(answer["answers"], ["beta3", "alpha0", "beta3"], strict=True):
        assert list(zip(each["neighbors"], each["similarities"], strict=True)) == expected[word]


def test_vectors_are_the_very_numbers(models: Models, client: httpx.Client) -> None:
    """As float32 the numbers are identical."""
    answers = client.get("/vectors", params={"word": ["gamma0", "alpha0"]}).json()["answers"]

    assert [np.float32(each["vector"]).tolist() for each in answers] == models.tables[0][[2, 0]].tolist()


def test_an_analogy_is_as_numpy_has_it(models: Models, client: httpx.Client) -> None:
    """The answer is the words nearest to b − a + c, of unit vectors, without a, b and c."""
    unit = models.tables[0] / np.linalg.norm(models.tables[0], axis=1, keepdims=True)
    a, b, c = (WORDS.index(word) for word in ("alpha1", "beta1", "alpha2"))
    query = unit[b] - unit[a] + unit[c]
    best = [row for row in np.argsort(-(unit @ query)) if row not in (a, b, c)][:3]
    answer = client.get("/analogy", params={"a": "alpha1", "b": "beta1", "c": "alpha2", "k": 3}).json()

    assert answer["neighbors"] == [WORDS[row] for row in best]
    assert answer["similarities"] == pytest.approx(unit[best] @ query / np.linalg.norm(query), abs=1e-6)


def test_many_neighbors_are_those_of_single_requests(client: httpx.Client) -> None:
    """A body with 50 words gives the very answers of 50 addresses, in the order asked."""
    words = [*WORDS[:49], "BETA3"]
    many = client.post("/neighbors", json={"queries": words, "k": 7}).json()["answers"]
    single = [client.get("/neighbors", params={"word": word, "k": 7}).json()["answers"][0] for word in words]

    assert many == single


def test_a_vector_is_asked_as_a_word_is(models: Models, client: httpx.Client) -> None:
    """The vector of a word, at any length, has the word itself first, then its neighbours; excluded words are none."""
    vector = (3 * models.tables[0][WORDS.index("beta3")]).tolist()
    word = client.get("/neighbors", params={"word": "beta3", "k": 5}).json()["answers"][0]["neighbors"]
    asked = {"queries": [vector, "beta3"], "k": 4, "exclude": [word[1], "not a word"]}
    by_vector, by_word = client.post("/neighbors", json=asked).json()["answers"]

    assert by_vector["word"] is None
    assert by_vector["neighbors"] == ["beta3", word[0], word[2], word[3]]
    assert by_vector["similarities"][0] == pytest.approx(1)
    assert by_word["neighbors"] == [word[0], *word[2:5]]


def test_texts_have_vectors(models: Models, client: httpx.Client) -> None:
    """A text is cut as the training's was, a list is taken as it is; the mean is the mean, sif that of the core."""
    texts = ["Alpha0, gamma0 nobody", ["alpha0", "GAMMA0"], "nobody"]
    mean, sif = (client.post("/embed", json={"texts": texts, "weighting": how}).json() for how in ("mean", "sif"))
    counts = np.arange(60, 0, -1)
    expected = Documents(models.tables[0], counts).vectors([[0, 2]])[0]

    assert mean["run"] == models.runs[0]
    assert [(each["known"], each["unknown"]) for each in mean["answers"]] == [(2, 1), (2, 0), (0, 1)]
    np.testing.assert_allclose(mean["answers"][0]["vector"], models.tables[0][[0, 2]].mean(axis=0), rtol=1e-6)
    assert np.float32(sif["answers"][0]["vector"]).tolist() == expected.tolist()
    assert sif["answers"][0]["vector"] == sif["answers"][1]["vector"]
    assert sif["answers"][2]["vector"] == [0] * 8


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/neighbors", {}, "queries\nexpected  queries in JSON\nfound     nothing"),
        ("/neighbors", {"queries": ["beta3"], "n": 3}, "n\nexpected  Extra inputs are not permitted\nfound     3"),
        ("/neighbors", {"queries": [[1.0, 2.0]]}, "queries\nexpected  words, or vectors of 8 finite numbers\nfound   "),
        ("/neighbors", {"queries": ["beta3"] * 400, "k": 60}, "queries\nexpected  words × (k + exclude) up to 20,000"),
        ("/embed", {"texts": ["a"], "weighting": "idf"}, "weighting\nexpected  'sif' or 'mean'\nfound     'idf'"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_asked_is_422(path: str, body: dict[str, Any], said: str, client: httpx.Client) -> None:
    """The answer names the field, what was expected and what was found."""
    answer = client.post(path, json=body)

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(said)


def test_a_body_has_limits_and_needs_the_password(port: int, client: httpx.Client) -> None:
    """401 without the password, 413 for more than a megabyte, 422 for what is no JSON, 404 for an unknown word."""
    address = f"http://127.0.0.1:{port}"
    locked = [
        httpx.post(f"{address}{path}", json={}, trust_env=False, timeout=60).status_code
        for path in ("/neighbors", "/embed")
    ]
    said = client.post("/embed", content=b'{"texts": [', headers={"Content-Type": "application/json"})

    assert locked == [401, 401]
    assert httpx.get(f"{address}/metrics", trust_env=False, timeout=60).status_code == 401
    assert client.post("/embed", json={"texts": ["x" * (1 << 20)]}).status_code == 413
    assert said.status_code == 422
    assert said.json()["detail"].startswith("body\nexpected  JSON decode error")
    assert client.post("/neighbors", json={"queries": ["zebra"]}).json()["unknown"].keys() == {"zebra"}


def test_prometheus_reads_the_metrics(models: Models, client: httpx.Client) -> None:
    """Prometheus's own parser finds each request counted by path and status, and the run; unknown paths are one."""

    def read() -> dict[tuple[str, ...], float]:
        text = client.get("/metrics").text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {(sample.name, *sorted(sample.labels.values())): sample.value for sample in samples}

    before = read()
    for path in ("/neighbors?word=beta3", "/neighbors?word=zebra", "/a", "/b"):
        client.get(path)
    after = read()

    def more(*name: str) -> float:
        return after[name] - before.get(name, 0)

    assert more("w2v_requests_total", "/neighbors", "200", "GET") == 1
    assert more("w2v_requests_total", "/neighbors", "404", "GET") == 1
    assert more("w2v_requests_total", "404", "GET", "other") == 2
    assert more("w2v_request_seconds_count", "/neighbors") == 2
    assert after["w2v_words",] == 60
    assert after["w2v_model_info", models.runs[0], "vectors/1"] == 1


def test_words_are_looked_up_in_the_form_of_the_text(client: httpx.Client) -> None:
    """Capitals, soft hyphens and byte order marks do not matter; a text of two words is reported as such."""
    typed, plain = (client.get("/neighbors", params={"word": word}).json() for word in ("\ufeffBe\u00adTA3", "beta3"))
    two = client.get("/vectors", params={"word": "beta3-gamma3"})

    assert typed["answers"][0]["neighbors"] == plain["answers"][0]["neighbors"]
    assert two.status_code == 404
    assert "'beta3-gamma3'  is not one word here, but 2 words: beta3 gamma3" in two.json()["detail"]


def test_unknown_words_are_named(client: httpx.Client) -> None:
    """All unknown words are named, with known words of similar spelling, with status 404 as in the schema."""
    answer = client.get("/neighbors", params={"word": ["beta3", "gama3", "zebra"]})

    assert answer.status_code == 404
    assert set(answer.json()["unknown"]) == {"gama3", "zebra"}
    assert "gamma3" in answer.json()["unknown"]["gama3"]
    assert "not in the vocabulary of 60 words\n'gama3'  did you mean gamma" in answer.json()["detail"]
    assert "404" in client.get("/openapi.json").json()["paths"]["/neighbors"]["get"]["responses"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("word=beta3&k=0", "k\nexpected  greater than or equal to 1\nfound     '0'"),
        ("word=beta3&k=x", "k\nexpected  a valid integer, unable to parse string as an integer\nfound     'x'"),
        ("word=beta3&n=3", "n\nexpected  word, k\nfound     a parameter that /neighbors does not have"),
        ("k=3", "word\nexpected  ?word=…\nfound     nothing"),
        ("&".join(["word=beta3"] * 1_001), "word\nexpected  List should have at most 1000 items"),
        (
            "&".join(["word=beta3"] * 400) + "&k=60",
            "word\nexpected  words × k up to 20,000\nfound     400 × 60\nAsk for 333",
        ),
    ],
)
def test_what_cannot_be_asked_is_422(query: str, said: str, client: httpx.Client) -> None:
    """The answer names the parameter and the expected value, before any computation."""
    answer = client.get(f"/neighbors?{query}")

    assert answer.status_code == 422
    assert set(answer.json()) == {"detail"}
    assert answer.json()["detail"].startswith(said)


def test_the_page_shows_the_schema_offline(client: httpx.Client) -> None:
    """The page has a working example for each path, and loads nothing from elsewhere."""
    page = client.get("/").text
    examples = re.findall(r'<a href="([^"]+)"', page)

    assert "http" not in page
    assert {each.partition("?")[0] for each in examples} == {
        *(path for path, methods in client.get("/openapi.json").json()["paths"].items() if "get" in methods),
        "/openapi.json",
    }
    assert [client.get(each.replace("&amp;", "&")).status_code for each in examples] == [200] * 7


def test_a_new_champion_takes_over(models: Models, source: serving_app.LookedUp, client: httpx.Client) -> None:
    """A new champion is served after the next look; a run served by its id stays."""
    one = serving_app.LookedUp(models.workspace, models.runs[0][:8])
    models.promote(2)
    assert client.get("/model").json()["run"] == models.runs[0]
    source.look()
    one.look()

    assert client.get("/model").json() == {"run": models.runs[1], "version": "vectors/2", "words": 60, "dimensions": 8}
    vector = client.get("/vectors", params={"word": "alpha0"}).json()["answers"][0]["vector"]
    assert np.float32(vector).tolist() == models.tables[1][0].tolist()
    assert one.now.run == models.runs[0]


def test_what_is_there_stays_while_the_registry_is_away(
    source: serving_app.LookedUp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The old vectors stay, and the log says so only once."""
    run = source.now.run
    monkeypatch.setattr(source, "_uri", "sqlite:////dev/null/mlflow.db")
    source.look()
    source.look()

    assert source.now.run == run
    assert [record.getMessage().splitlines()[-1][:13] for record in caplog.records] == ["Still serving"]


def test_the_table_is_mapped(source: serving_app.LookedUp) -> None:
    """Requests read the mapped file, not a copy."""
    assert isinstance(source.now.learnt.table, np.memmap)
    assert np.shares_memory(source.now.space.vectors._table, source.now.learnt.table)


def test_nobody_to_serve(models: Models, tmp_path: Path) -> None:
    """No runs, no champion and an unknown run each give an error."""
    with pytest.raises(TrackingError, match="no runs yet"):
        serving_app.LookedUp(tmp_path, "champion")
    with pytest.raises(InputError, match="the model 'others' has no champion"):
        serving_app.LookedUp(models.workspace, "others@champion")
    with pytest.raises(TrackingError, match="there is no run nobody"):
        serving_app.LookedUp(models.workspace, "nobody")


def test_a_port_that_is_taken(models: Models) -> None:
    """The error proposes another port."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(PipelineError, match=r"is taken\.\nChoose another: w2v serve --port"),
    ):
        serving_app.serve(models.workspace, "champion", taken.getsockname()[1])


def test_the_command_serves_until_ctrl_c(models: Models, tmp_path: Path) -> None:
    """The command prints its address, answers, and exits with 0."""
    log = tmp_path / "log"
    with log.open("wb") as stream:
        words = [W2V, "serve", "--workspace", models.workspace, "--port", "0"]
        with subprocess.Popen(words, stdout=stream, stderr=stream) as process:
            deadline = time.monotonic() + 300
            while not (found := re.search(r"shell    (.*)WORD'\n", log.read_text())) and time.monotonic() < deadline:
                time.sleep(0.1)
            try:
                assert found, log.read_text()
                shell = ["bash", "-c", f"{found[1]}beta3'"]
                answer = json.loads(subprocess.run(shell, capture_output=True, check=True, env=CURL).stdout)
                page = re.search(r"browser  (.*)", log.read_text())
                assert page
                opened = httpx.get(page[1], trust_env=False, timeout=300, follow_redirects=True)
            finally:
                process.send_signal(signal.SIGINT)

    assert len(answer["answers"][0]["neighbors"]) == 10
    assert "Word vectors" in opened.text
    assert process.returncode == 0, log.read_text()


def test_others_are_not_answered(port: int, client: httpx.Client) -> None:
    """401 without or with a wrong password, 403 for other names and foreign pages; the health page is open."""
    address = f"http://127.0.0.1:{port}"

    def status(path: str = "/neighbors?word=beta3", **said: Any) -> int:
        return httpx.get(address + path, trust_env=False, timeout=60, **said).status_code

    assert [status(), status(auth=("w2v", "guess")), status("/openapi.json"), status("/")] == [401] * 4
    assert status(headers={"Host": "rebound.example"}) == 403
    assert client.get("/model", headers={"Origin": "http://elsewhere.example"}).status_code == 403
    assert client.get("/model", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert httpx.get(f"{address}/health", trust_env=False, timeout=60).json() == {"status": "ok"}
    assert status("/health", headers={"Host": "rebound.example"}) == 403
    assert client.get("/health?x=1").headers["content-type"] == "application/json"


def test_the_password_stays_with_the_workspace(models: Models, access: serving_app.Access) -> None:
    """It is the same after a restart, in private files; one that others could have read is replaced."""
    again = serving_app.Access(models.workspace, "127.0.0.1")
    folder = models.workspace / "serve"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    (folder / "netrc").chmod(0o644)
    changed = serving_app.Access(models.workspace, "127.0.0.1")

    assert again.lock == access.lock
    assert modes == {"serve": 0o700, "netrc": 0o600, "key": 0o600}
    assert changed.lock.credential != access.lock.credential


def test_nobody_is_let_in_from_outside_without_a_password(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """--host needs a password of the user, which is never printed; it invalidates links of another one."""
    monkeypatch.delenv(serving_app.PASSWORD, raising=False)
    with pytest.raises(
        PipelineError, match=r"0\.0\.0\.0 lets other machines reach(?s:.*)expected  a password in W2V_SERVE_PASS"
    ):
        serving_app.serve(models.workspace, "champion", 0, "0.0.0.0")
    monkeypatch.setenv(serving_app.PASSWORD, "horse battery")
    with pytest.raises(PipelineError, match=r"203\.0\.113\.1 is not an address of this machine"):
        serving_app.serve(models.workspace, "champion", 0, "203.0.113.1")
    accesses = [serving_app.Access(models.workspace, "0.0.0.0")]
    monkeypatch.setenv(serving_app.PASSWORD, "staple")
    accesses.append(serving_app.Access(models.workspace, "0.0.0.0"))

    assert accesses[0].lock.credential == "w2v:horse battery"
    assert "horse" not in accesses[0].directions(5001)
    assert "curl --config -" in accesses[0].directions(5001)
    assert len({access.lock.link("http://127.0.0.1:5001/") for access in accesses}) == 2


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_the_page_works_for_its_user_and_no_foreign_page_gets_in(
    served: serving_app.LookedUp, access: serving_app.Access, chromium: Browser, tmp_path: Path
) -> None:
    """In one browser, the link opens the page and its examples work; attacks of two foreign pages with the visitor's
    cookie do not reach the vectors.
    """
    reached: list[tuple[str, str]] = []
    inside = app(served)

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            reached.append((scope["method"], scope["path"]))
        await inside(scope, receive, send)

    with elsewhere() as pages, listening(noting, access) as port:
        address = f"http://127.0.0.1:{port}"
        chromium.open(f"{address}/")
        locked = chromium.run("return document.body.textContent")
        chromium.open(access.lock.link(f"{address}/"))
        examples = chromium.wait(
            "Promise.all([...document.links].map(link => fetch(link.href).then(answer => answer.status))).then(done)"
        )
        chromium.run("document.getElementById('word').value = 'beta3'; document.forms[0].requestSubmit()")
        answer = chromium.wait("setTimeout(() => done(document.getElementById('answer').textContent), 3000)")
        chromium.screenshot(tmp_path / "page.png")
        reached.clear()
        for page in pages:
            attack(chromium, page, address, "/neighbors?word=beta3", '{"a": 1}')

    assert "vectors" not in locked
    assert set(examples) == {200}
    assert len(answer.split()) == 10
    assert reached == []
