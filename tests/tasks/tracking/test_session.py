"""Tracking: one run for one flow run, also after retries, kills and repeated writes."""

import json
import math
import os
import re
import subprocess
import sys
import time
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from configs.schema import Config, Ingestion, Runtime, Tracking, Training
from tasks import certificate
from tasks.engine import environment as engine_environment
from tasks.engine.retries import _unanswered
from tasks.errors import InputError, TrackingError, Unreachable
from tasks.tracking import address, names, registry, session
from tasks.tracking import client as tracking_client
from tasks.tracking import run as tracking_run
from tasks.tracking.contents import columns as tracking_columns
from tasks.tracking.contents.parameters import parameters, tags
from tasks.tracking.contents.vectors import vectors_of
from tasks.tracking.run import Run
from tasks.tracking.session import Tracker, close_run
from tests.support.runs import finish_run, start_run

if TYPE_CHECKING:
    from mlflow import MlflowClient


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Share one database between the tests of this file: creating it takes seconds."""
    workspace = tmp_path_factory.mktemp("tracked") / "workspace"
    return Config(name="small", ingestion=Ingestion(source="text.txt"), runtime=Runtime(workspace=str(workspace)))


@pytest.fixture
def fresh(config: Config, request: pytest.FixtureRequest) -> Config:
    """Use the shared database with an experiment of the test's own."""
    return config.model_copy(update={"tracking": Tracking(experiment=request.node.name, registered_model="small")})


def client(config: Config) -> "MlflowClient":
    with tracking_client.reached(address.uri(config)) as reached:
        return reached


def test_a_retried_flow_has_one_run(fresh: Config) -> None:
    """A retried flow run finds its run and reopens it; another flow run gets another run."""
    first = start_run(fresh, "flow-1")
    finish_run(fresh, "flow-1", "FAILED")
    again = start_run(fresh, "flow-1")

    assert again == first
    assert client(fresh).get_run(first).info.status == "RUNNING"
    assert start_run(fresh, "flow-2") != first


def test_an_unfinished_run_is_continued_by_its_recipe(fresh: Config) -> None:
    """An interrupted run says how to resume it, and is resumed by a start of its own recipe only."""
    first = start_run(fresh, "flow-1", recipe="data, config and code")
    finish_run(fresh, "flow-1", "KILLED")
    tags = client(fresh).get_run(first).data.tags

    assert tags["how to continue"].startswith(f"`{tags['owner.command']}` resumes this run")
    assert start_run(fresh, "flow-2", recipe="other data") != first
    assert start_run(fresh, "flow-3", recipe="data, config and code") == first

    run = client(fresh).get_run(first)
    assert (run.info.status, run.data.tags["prefect.flow_run_id"]) == ("RUNNING", "flow-3")
    assert "how to continue" not in run.data.tags


def test_a_run_that_holds_the_result_is_left_as_it_is(fresh: Config) -> None:
    """A later start returns it as finished; a run that ended without a result does not count."""
    empty = start_run(fresh, "flow-1", recipe="same")
    finish_run(fresh, "flow-1", "FINISHED")
    done = start_run(fresh, "flow-2", recipe="same")
    Run(address.uri(fresh), done).tag({names.RESULT: "abc"})
    finish_run(fresh, "flow-2", "FINISHED")
    before = client(fresh).get_run(done)
    found = Tracker(fresh).begin(fresh, "flow-3", recipe="same")

    assert done != empty
    assert found == (done, True)
    assert client(fresh).get_run(done).to_dictionary() == before.to_dictionary()


def test_a_reproduction_is_a_run_of_its_own(fresh: Config) -> None:
    """It serves as no other start's result, is computed again on request, and is resumed if it has no verdict."""
    first = start_run(fresh, "flow-1", recipe="same", reproduces="original")
    Run(address.uri(fresh), first).tag({names.RESULT: "abc"})
    finish_run(fresh, "flow-1", "FINISHED")

    assert Tracker(fresh).find_finished("abc") is None
    assert start_run(fresh, "flow-2", recipe="same") != first
    assert start_run(fresh, "flow-3", recipe="same", reproduces="original") == first

    Run(address.uri(fresh), first).tag({names.REPRODUCTION: "identical"})
    finish_run(fresh, "flow-3", "FINISHED")
    assert start_run(fresh, "flow-4", recipe="same", reproduces="original") != first


def test_every_setting_is_a_parameter(fresh: Config) -> None:
    """Every setting that affects the result is logged as `section.key`, no other; config.json has all of them."""
    run_id = start_run(fresh, "flow-1")
    found = client(fresh).get_run(run_id).data.params

    assert found == parameters(fresh)
    assert found["training.learning_rate"] == "0.025"
    assert found["seed"] == "1"
    assert not [name for name in found if name.startswith(("runtime", "tracking"))]
    assert (
        Config.model_validate_json(Path(client(fresh).download_artifacts(run_id, "config.json")).read_text()) == fresh
    )


def test_equal_digests_are_equal_settings(config: Config) -> None:
    """Threads and names leave the digest as it is; a learning rate does not."""
    digest = _digest(config)
    renamed = config.model_copy(update={"name": "other", "runtime": Runtime(threads=7), "tracking": Tracking(uri="x")})
    quicker = config.model_copy(update={"training": Training(learning_rate=0.05)})

    assert _digest(renamed) == digest
    assert _digest(quicker) != digest


def _digest(config: Config) -> str:
    return tags(config, "flow")[names.CONFIG_DIGEST]


def test_what_is_logged_twice_is_there_once(fresh: Config) -> None:
    """Repeated points and figures are stored once, also when the curve has grown in between."""
    run_id = start_run(fresh, "flow-1")
    losses = [3.0, 2.0, 1.5]
    for points in (2, 3, 3):
        run = Run(address.uri(fresh), run_id)
        run.curve([0, 1_000_000, 2_000_000][:points], {"loss/training": losses[:points]})
        run.metrics({"similarity/x": 0.5}, 2_000_000)
    history = client(fresh).get_metric_history(run_id, "loss/training")

    assert [(point.step, point.value) for point in history] == [(0, 3.0), (1_000_000, 2.0), (2_000_000, 1.5)]
    assert len(client(fresh).get_metric_history(run_id, "similarity/x")) == 1


def test_a_curve_has_one_point_a_step(fresh: Config) -> None:
    """Steps that are trained again, at another speed, keep their first points; gaps are filled."""
    run_id = start_run(fresh, "flow-1")
    Run(address.uri(fresh), run_id).curve([0, 1, 3], {"speed": [5.0, 5.0, 5.0]})
    Run(address.uri(fresh), run_id).curve([0, 1, 2, 3, 4], {"speed": [7.0, 7.0, 7.0, 7.0, 7.0]})
    history = client(fresh).get_metric_history(run_id, "speed")

    assert sorted((point.step, point.value) for point in history) == [(0, 5.0), (1, 5.0), (2, 7.0), (3, 5.0), (4, 7.0)]


def test_curves_are_thinned_and_gaps_left_out(fresh: Config) -> None:
    """Of 5,000 points at most 2,000 are logged, the last among them; None, NaN and infinity are skipped."""
    run_id = start_run(fresh, "flow-1")
    values = [float(step) for step in range(5_000)]
    gaps = [None, math.nan, math.inf, *values[3:]]
    Run(address.uri(fresh), run_id).curve(range(5_000), {"whole": values, "gaps": gaps})
    whole, gaps_found = (client(fresh).get_metric_history(run_id, key) for key in ("whole", "gaps"))

    assert 1_000 < len(whole) <= 2_000
    assert whole[-1].step == 4_999
    assert [point.step for point in gaps_found] == [point.step for point in whole[1:]]


def test_abandoned_runs_are_killed(fresh: Config) -> None:
    """A run whose owner is dead is KILLED, even if its process id is in use again; a live one is not."""
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    runs = {name: start_run(fresh, name) for name in ("alive", "gone", "reused", "elsewhere", "finished")}
    tag = client(fresh).set_tag
    tag(runs["gone"], "owner.pid", gone.stdout.strip())
    tag(runs["reused"], "owner.started", engine_environment.owner().started - 1_000)
    tag(runs["elsewhere"], "owner.host", "another-host")
    tag(runs["elsewhere"], "owner.pid", gone.stdout.strip())
    tag(runs["finished"], "owner.pid", gone.stdout.strip())
    finish_run(fresh, "finished", "FINISHED")

    assert set(Tracker(fresh).close_abandoned()) == {runs["gone"], runs["reused"]}
    statuses = {name: client(fresh).get_run(run_id).info.status for name, run_id in runs.items()}
    assert statuses == {
        "alive": "RUNNING", "gone": "KILLED", "reused": "KILLED", "elsewhere": "RUNNING", "finished": "FINISHED",
    }  # fmt: skip


def test_a_run_of_a_lost_host_is_closed_by_hand(fresh: Config) -> None:
    """Only a RUNNING run can be closed, and none that is at work on this host."""
    lost, here = start_run(fresh, "lost"), start_run(fresh, "here")
    client(fresh).set_tag(lost, "owner.host", "another-host")
    workspace = Path(fresh.runtime.workspace)
    close_run(workspace, lost)

    assert client(fresh).get_run(lost).info.status == "KILLED"
    with pytest.raises(TrackingError, match="is not open: it is KILLED"):
        close_run(workspace, lost)
    with pytest.raises(TrackingError, match=f"at work on this host, as process {os.getpid()}"):
        close_run(workspace, here)


FIRST_RUN = """
import sys; from pathlib import Path; from time import sleep
from configs.schema import Config, Ingestion, Runtime, Tracking
from mlflow.entities import Dataset
from tasks.tracking.run import Input, Run
from tasks.tracking.session import Tracker
uri, workspace, barrier = sys.argv[1:]
config = Config(ingestion=Ingestion(source="x"), tracking=Tracking(uri=uri), runtime=Runtime(workspace=workspace))
data = [Input(Dataset(f"data {n}", "d" * 32, "local", "{}"), "training") for n in range(50)]
Path(workspace).mkdir()
while not Path(barrier).exists(): sleep(0.001)
run_id = Tracker(config).begin(config, workspace, recipe=workspace).run_id
Path(workspace, "started").touch()
while len(list(Path(barrier).parent.glob("*/started"))) < 4: sleep(0.001)
for one in data: Run(uri, run_id).inputs([one])
print(run_id)
"""


def test_first_runs_at_once_do_not_collide(tmp_path: Path) -> None:
    """Four processes create database, experiment, runs and datasets at the same moment, from four workspaces."""
    environment = {**os.environ, "PYTHONPATH": str(Path(session.__file__).parents[1])}
    words = [sys.executable, "-c", FIRST_RUN, f"sqlite:///{tmp_path}/mlflow.db"]
    at_once = [
        subprocess.Popen(
            [*words, tmp_path / name, tmp_path / "go"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for name in "abcd"
    ]
    while len(list(tmp_path.iterdir())) < 4:  # all have imported
        time.sleep(0.1)
    (tmp_path / "go").touch()
    answers = [process.communicate() for process in at_once]

    assert [process.returncode for process in at_once] == [0] * 4, answers
    assert len({out for out, _ in answers}) == 4


def test_a_result_is_found_when_its_run_is_complete(fresh: Config) -> None:
    """Only a FINISHED run with the result's tag counts."""
    run_id = start_run(fresh, "flow-1")
    Run(address.uri(fresh), run_id).tag({names.RESULT: "abc"})

    assert Tracker(fresh).find_finished("abc") is None
    finish_run(fresh, "flow-1", "FINISHED")
    assert Tracker(fresh).find_finished("abc") == run_id
    assert Tracker(fresh).find_finished("abd") is None


def test_where_runs_are(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config decides, then MLFLOW_TRACKING_URI, then the workspace; artifacts lie beside the database."""
    named = config.model_copy(update={"tracking": Tracking(uri="http://named")})
    workspace = Path(config.runtime.workspace)
    run_id = start_run(config, "flow-where")

    assert address.uri(config) == f"sqlite:///{workspace}/mlflow.db"
    assert Path(client(config).get_run(run_id).info.artifact_uri).is_relative_to(workspace / "mlartifacts")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://environment")
    assert address.uri(config) == "http://environment"
    assert address.uri(named) == "http://named"


def test_an_absent_server_is_reported_within_seconds(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the server without its password, the network's message, and what to do."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")

    with pytest.raises(
        TrackingError,
        match=r"MLflow at http://…@127.0.0.1:9 does not answer\nConnection refused\nStart .*MLFLOW_TRACKING_URI",
    ) as error:
        start_run(config, "flow-1")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("status", "passes"), [(503, True), (502, True), (404, False), (401, False)])
def test_failures_that_may_pass_differ_from_refusals(config: Config, status: int, passes: bool) -> None:
    """A server behind a proxy, or without its database, may answer later; one that refuses our password will not."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever).start()
        refusing = config.model_copy(update={"tracking": Tracking(uri=f"http://127.0.0.1:{server.server_port}")})
        with pytest.raises(TrackingError) as error:
            start_run(refusing, "flow-1")
        server.shutdown()

    assert isinstance(error.value, Unreachable) == _unanswered(error.value) == passes


def test_a_run_goes_on_without_mlflow_only_if_configured(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """`tracking.required = false` ignores a server that cannot be reached, with a warning, and nothing else."""
    for required in (True, False):
        absent = config.model_copy(update={"tracking": Tracking(uri="http://127.0.0.1:9", required=required)})
        with pytest.raises(Unreachable) if required else nullcontext(), Tracker(absent).unless_required():
            start_run(absent, "flow-1")
    assert "goes on without it" in caplog.text
    with pytest.raises(TrackingError), Tracker(absent).unless_required():
        raise TrackingError("refused")


def test_a_deleted_experiment_is_named(fresh: Config) -> None:
    """MLflow reserves the name of a deleted experiment: the error says how to restore it."""
    run_id = start_run(fresh, "flow-1")
    client(fresh).delete_experiment(client(fresh).get_run(run_id).info.experiment_id)

    with pytest.raises(TrackingError, match="is deleted\nRestore it with `mlflow experiments restore"):
        start_run(fresh, "flow-2")


def test_an_unknown_run_is_refused(config: Config) -> None:
    """The error for a wrong `--run` says where we looked, which runs exist, and how to see all of them."""
    known = start_run(config, "flow-newest")

    with pytest.raises(TrackingError) as error:
        vectors_of(Run(address.uri(config), "no-such-run"))
    said = str(error.value)
    assert said.startswith(f"there is no run no-such-run\nlooked in {address.uri(config)}\nfound     ")
    assert f"{known}  small " in said
    assert "`w2v ui` shows all" in said
    with pytest.raises(TrackingError, match="there is no run no-such-run"):
        certificate.read(Run(address.uri(config), "no-such-run"))


def test_an_unfinished_run_has_no_vectors(config: Config) -> None:
    """The error says that the run exists and why it has no vectors."""
    run_id = start_run(config, "flow-where")

    with pytest.raises(TrackingError, match=f"^run {run_id} holds no vectors: it is RUNNING\nName a FINISHED run"):
        vectors_of(Run(address.uri(config), run_id))


def test_looking_for_a_run_makes_no_database(tmp_path: Path) -> None:
    """Nothing is created for a mistyped --workspace."""
    with pytest.raises(TrackingError, match="there is no workspace here"):
        address.runs_of(tmp_path / "mistyped")

    assert not (tmp_path / "mistyped").exists()


def test_mlflow_keeps_quiet(tmp_path: Path) -> None:
    """A process that creates the database and a run, and ends the run, prints nothing."""
    code = (
        "from configs.schema import Config; from tasks.tracking.session import Tracker\n"
        "config = Config.model_validate({'ingestion': {'source': 'x'}, 'runtime': {'workspace': 'workspace'}})\n"
        "tracker = Tracker(config); tracker.begin(config, 'flow'); tracker.finish('flow', 'FINISHED')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(session.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_champion_is_that_of_the_only_model(fresh: Config) -> None:
    """It is the only one, else the only one with an alias; reproductions' do not count; of several, none is chosen."""
    from mlflow import MlflowClient

    uri = address.uri(fresh)
    client = MlflowClient(uri)
    client.create_registered_model("reviews")
    with pytest.raises(InputError, match="the model 'reviews' has no champion"):
        registry.run_id(uri, "champion")
    client.create_registered_model("reviews-reproduced")
    with pytest.raises(InputError, match="the model 'reviews' has no champion"):
        registry.run_id(uri, "champion")
    client.create_registered_model("tweets")

    with pytest.raises(InputError, match=r"several models are registered(.|\n)*found     reviews, tweets\nName one: "):
        registry.run_id(uri, "champion")
    client.create_model_version("tweets", "somewhere")
    client.set_registered_model_alias("tweets", "challenger", "1")
    assert registry.only_model(uri) == "tweets"


def test_the_start_of_an_id_is_enough(fresh: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start of a single run's id is completed; any other text is returned for `known_run` to refuse."""
    one, _ = (start_run(fresh, f"flow-{number}") for number in range(2))
    uri = address.uri(fresh)

    assert tracking_run.full_id(uri, one[:6]) == tracking_run.full_id(uri, one) == one
    assert tracking_run.full_id(uri, one[:5]) == one[:5]
    assert tracking_run.full_id(uri, "abcdef0123") == "abcdef0123"
    assert tracking_run.full_id(uri, "nobody") == "nobody"
    monkeypatch.setattr(tracking_run, "START", re.compile(""))
    with pytest.raises(TrackingError, match=rf"several runs' ids\nfound  (.|\n)*{one}"):
        tracking_run.full_id(uri, "")


def test_the_table_opens_on_scores(fresh: Config) -> None:
    """The view that the address names has a column for each score and for each parameter that differs."""
    other = fresh.model_copy(update={"training": Training(learning_rate=0.05)})
    for number, each in enumerate((fresh, other)):
        run = Run(address.uri(fresh), start_run(each, f"flow-{number}"))
        run.metrics({"similarity/pairs": 0.5, "interval/pairs.low": 0.4, "loss/held_out": 5, "loss/training": 2}, 0)
    experiment = run.record.info.experiment_id
    columns = ["tags.`promotion`", "metrics.`loss/held_out`", "metrics.`similarity/pairs`"]
    columns += ["params.`training.learning_rate`", "attributes.`Models`"]

    assert f"experiments/{experiment}/runs?viewStateShareKey=scores" in tracking_columns.address(address.uri(fresh))
    tag = client(fresh).get_experiment(experiment).tags["mlflow.sharedViewState.scores"]
    assert json.loads(tag)["selectedColumns"] == columns
