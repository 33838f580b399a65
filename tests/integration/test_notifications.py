"""Notifications, and the closing of dead runs, with real servers and really killed processes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from prefect import flow
from prefect.blocks.notifications import SlackWebhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.exceptions import CancelledRun, ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling, Completed, Running

from configs.schema import Config, Notify, Promotion, Retention, Tracking
from flows.deployment import automations
from flows.hooks.stops import stoppable
from flows.reconcile import reconcile
from flows.retain import retain
from flows.retrain import retrain
from tasks import notifications
from tasks.errors import TrainingError
from tasks.maintenance.orphans import close_lost
from tasks.orchestration import flow_runs as orchestration_flow_runs
from tasks.tracking import address, heartbeat
from tests.support import servers
from tests.support.paths import PROJECT
from tests.support.runs import finish_run, start_run
from tests.support.servers import until
from tests.support.webhook import SECRET, Mailbox, Webhook, listening

W2V = Path(sys.executable).parent / "w2v"
CHECKPOINTS = "store/training/*/checkpoints/*/state.json"
LIFELESS = 20.0  # seconds; by then the other tests have taken longer
QUICK = [
    "vocabulary.min_count=1", "vocabulary.subsample=0", "training.vector_size=8", "training.damping=0.5",
    "training.batch_size=1", "training.epochs=20", "runtime.checkpoint_interval=0.2", "runtime.lost_after=4",
]  # fmt: skip


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    with listening(Webhook()) as webhook, pytest.MonkeyPatch.context() as patch:
        patch.setenv("W2V_WEBHOOK", webhook.address)
        yield webhook


@pytest.fixture(scope="module")
def server(prefect_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prefect server with all its services, also those for late runs and missing heartbeats."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(prefect_database, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    eager = {f"PREFECT_SERVER_SERVICES_LATE_RUNS_{name}_SECONDS": "1" for name in ("AFTER", "LOOP")}
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui", "--host", "127.0.0.1", "--port", port]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, "PREFECT_HOME": str(folder), **eager}, stdout=log, stderr=log
        )

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        return servers.answers(f"http://127.0.0.1:{port}/api/health")

    until(answers)
    EventsWorker.drain_all()  # else this process goes on telling the server of the tests before
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{port}/api")  # for the commands
        yield PREFECT_API_URL.value()
        EventsWorker.drain_all()
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture(scope="module")
def watched(client: SyncPrefectClient, webhook: Webhook) -> None:
    """Set up the alarms, then make one run late and another send one heartbeat; the last tests check the messages."""
    config = Config.model_validate({
        "ingestion": {"source": "text.txt"}, "notify": {"late_after": 10}, "runtime": {"lost_after": 10}
    })  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orchestration_flow_runs, "BEATS", 0)
        assert automations.show(config) == 0
        assert automations.show(config) == 0
    silent = client.create_flow_run(nightly, name="silent", state=Running())
    beat(silent)
    deployment = client.create_deployment(client.create_flow(nightly), name="nobody works here")
    client.create_flow_run_from_deployment(deployment, name='waiting "for" nobody')


@pytest.fixture(scope="module", autouse=True)
def lifeless(client: SyncPrefectClient) -> dict[str, Any]:
    """Flow runs without a process, which have aged by the time they are checked."""
    states = {"gone": Running(), "beats": Running(), "unheard": Cancelling()}
    return {name: client.create_flow_run(nightly, name=name, state=state) for name, state in states.items()}


@flow(name="retrain")
def nightly() -> None:
    """A flow with the name of ours that does nothing."""


def beat(flow_run: Any) -> None:
    """Send a heartbeat as a running flow run does."""
    resource = {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.name": flow_run.name}
    flow_of_it = {
        "prefect.resource.id": f"prefect.flow.{flow_run.flow_id}",
        "prefect.resource.role": "flow",
        "prefect.resource.name": "retrain",
    }
    emit_event("prefect.flow-run.heartbeat", resource, related=[flow_of_it])


def slow(corpus: Path, workspace: Path) -> list[str]:
    return [f"ingestion.source={corpus}", "ingestion.text_documents=line", f"runtime.workspace={workspace}", *QUICK]


def mlflow_runs(workspace: Path) -> list[Any]:
    return list(MlflowClient(f"sqlite:///{workspace}/mlflow.db").search_runs(["1"]))


@pytest.mark.usefixtures("watched")
def test_a_failure_is_told(config: Config, webhook: Webhook) -> None:
    """The message has the run, the stage, the cause and the command that continues; a dead webhook does no further
    harm.
    """
    steep = config.training.model_copy(update={"learning_rate": 1e9, "damping": 1e9, "objective": "softmax"})
    with pytest.raises(TrainingError):
        retrain(config.model_copy(update={"training": steep, "name": "too steep"}))

    (told,) = webhook.of("failure")[-1:]
    assert told["title"].startswith("too steep: vectors from ")
    assert told["title"].endswith(", by hand failed in training")
    assert "training diverged in epoch" in told["body"]
    assert "goes on where it stopped" in told["body"]
    assert f"/{told['run']}?" in told["link"]


@pytest.mark.usefixtures("watched")
def test_who_is_stopped_has_not_failed(config: Config, client: SyncPrefectClient, webhook: Webhook, own: Path) -> None:
    """Ctrl-C in a training ends it as Cancelled, with the command that continues, and without a notification."""
    told = webhook.of("failure")
    training = config.training.model_copy(update={"batch_size": 1, "epochs": 100})
    runtime = config.runtime.model_copy(update={"workspace": str(own), "checkpoint_interval": 0.2})

    def stop() -> None:
        until(lambda: list(own.glob(CHECKPOINTS)))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop).start()
    with pytest.raises(
        CancelledRun, match=r"^Stopped by Ctrl-C, SIGTERM or a closed terminal\. `.*` continues where it stopped\.$"
    ):
        retrain(config.model_copy(update={"training": training, "runtime": runtime}))

    (run,) = mlflow_runs(own)
    assert run.info.status == "KILLED"
    assert client.read_flow_run(run.data.tags["prefect.flow_run_id"]).state.name == "Cancelled"
    assert webhook.of("failure") == told


@pytest.mark.usefixtures("server")
def test_a_stop_below_another_error_is_a_stop() -> None:
    """Stopped between two tasks, Prefect itself raises another error."""

    @flow
    @stoppable
    def torn() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            raise ValueError("Task run is not set")

    with pytest.raises(CancelledRun, match="continues where it stopped"):
        torn()


@pytest.mark.usefixtures("watched")
def test_decisions_are_told(config: Config, webhook: Webhook) -> None:
    """The first champion, then a challenger kept back for its drift; each message is sent once."""
    tracking = config.tracking.model_copy(update={"registered_model": "told", "experiment": "told"})
    # seeds of its own, so that other tests find nothing of it in the workspace they share
    changes = {"tracking": tracking, "promotion": Promotion(max_drift=0.0), "name": "told", "seed": 31}
    config = config.model_copy(update=changes)
    first = retrain(config)
    second = retrain(config.model_copy(update={"seed": 32}))
    retrain(config)

    promoted, rejected = [each for each in webhook.heard if each["run"] in (first.run_id, second.run_id)]
    assert (promoted["events"], promoted["run"]) == (["promotion"], first.run_id)
    assert (rejected["events"], rejected["run"]) == (["rejection", "drift"], second.run_id)
    assert "the space has drifted" in rejected["body"]
    database = Path(config.runtime.workspace) / "mlflow.db"
    assert SECRET not in database.read_bytes().decode("latin-1")


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # by the mail client that Prefect uses
def test_mail_goes_through_a_block(server: str) -> None:
    """Prefect's block for Slack passes on any address that Apprise knows: this one is of a mail server."""
    with listening(Mailbox()) as mailbox:
        url = f"mailto://127.0.0.1:{mailbox.port}?from=w2v@here.org&to=ops@here.org&mode=insecure&format=text"
        SlackWebhook(url=url).save("ops")
        settings = Notify(webhook="NOT_SET", block="slack-webhook/ops")
        fault = notifications.send(
            settings,
            "block",
            notifications.Message(["failure"], "nightly failed", "in training", "r1", "http://here/r1"),
        )

    assert not fault
    (letter,) = mailbox.letters
    assert "Subject: nightly failed" in letter
    assert "ops@here.org" in letter


@pytest.mark.usefixtures("webhook")
def test_killed_on_this_host(corpus: Path, client: SyncPrefectClient, webhook: Webhook, own: Path) -> None:
    """After a killed retraining, `w2v reconcile` closes both records at once and notifies."""
    settings = [word for each in slow(corpus, own) for word in ("--set", each)]
    with own.with_name("log").open("wb") as log:
        retraining = subprocess.Popen([W2V, "retrain", *settings], stdout=log, stderr=log, cwd=PROJECT)
    until(lambda: retraining.poll() is not None or list(own.glob(CHECKPOINTS)))
    assert close_lost(f"sqlite:///{own}/mlflow.db", own, 0.001) == []
    retraining.kill()
    retraining.wait()

    (run,) = mlflow_runs(own)
    flow_run_id = run.data.tags["prefect.flow_run_id"]
    assert run.info.status == "RUNNING"
    assert client.read_flow_run(flow_run_id).state.is_running()
    closing = subprocess.run([W2V, "reconcile", *settings], capture_output=True, text=True, cwd=PROJECT)

    assert f"run {run.info.run_id} is KILLED" in closing.stdout, closing.stderr
    (run,) = mlflow_runs(own)
    assert run.info.status == "KILLED"
    assert client.read_flow_run(flow_run_id).state.is_crashed()
    tasks = [each for each in client.read_task_runs() if str(each.flow_run_id) == flow_run_id]
    assert {each.state.name for each in tasks} == {"Completed", "Crashed"}
    assert run.info.run_id in [each["run"] for each in webhook.of("lost")]  # among what the server finds silent


def test_another_host_is_known_by_its_heart(corpus: Path, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With heartbeats a run is left alone, whatever its clock says; without, it is closed."""
    with own.with_name("log").open("wb") as log:
        command = [sys.executable, "-m", "tests.support.retraining", *slow(corpus, own)]
        retraining = subprocess.Popen(command, stdout=log, stderr=log, cwd=PROJECT)
    until(lambda: retraining.poll() is not None or list(own.glob(CHECKPOINTS)))
    uri = f"sqlite:///{own}/mlflow.db"
    (run,) = mlflow_runs(own)
    MlflowClient(uri).set_tag(run.info.run_id, "owner.host", "elsewhere")

    try:
        assert close_lost(uri, own, 4) == []
        with monkeypatch.context() as patch:
            patch.setattr(heartbeat, "PATIENCE", 1_000)
            assert close_lost(uri, own, 0.001) == []  # as with a clock that is wrong: each beat looks old
    finally:
        retraining.kill()
        retraining.wait()
    assert close_lost(uri, own, 600) == []
    (lost,) = until(lambda: close_lost(uri, own, 2))
    assert lost.run_id == run.info.run_id
    assert "elsewhere has sent no heartbeat" in lost.why
    assert mlflow_runs(own)[0].info.status == "KILLED"


def test_flow_runs_without_life(
    config: Config, client: SyncPrefectClient, lifeless: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flow runs without an MLflow run are judged by their own heartbeats; a cancelling one is cancelled."""
    monkeypatch.setattr(orchestration_flow_runs, "BEATS", 0)
    age = (datetime.now(UTC) - lifeless["gone"].state.timestamp).total_seconds()
    time.sleep(max(0.0, LIFELESS - age))
    beat(lifeless["beats"])
    until(lambda: orchestration_flow_runs.FlowRuns(client).last_beat(lifeless["beats"]))
    runtime = config.runtime.model_copy(update={"lost_after": LIFELESS})
    found = {each.name: each.why for each in reconcile(config.model_copy(update={"runtime": runtime}))}

    assert {"gone", "unheard"} <= set(found)
    assert {"beats", "close dead runs"}.isdisjoint(found)
    assert "it has no heartbeat" in found["gone"]
    now = {name: client.read_flow_run(each.id).state.name for name, each in lifeless.items()}
    assert now == {"gone": "Crashed", "beats": "Running", "unheard": "Cancelled"}


def test_what_the_policy_does_not_keep_goes(config: Config, client: SyncPrefectClient, own: Path) -> None:
    """Runs are deleted in MLflow, and in Prefect with artifacts; a dry run lists them. Pinned and running ones stay."""
    runtime = config.runtime.model_copy(update={"workspace": str(own)})
    policy = Retention(runs_last=0, runs_days=0, trash_days=0, flow_runs_days=0)
    config = config.model_copy(update={"runtime": runtime, "retention": policy, "tracking": Tracking()})
    flow_runs = {name: client.create_flow_run(nightly, name=name) for name in ("ended", "at work", "of a kept run")}
    flow_runs["pinned"] = client.create_flow_run(nightly, name="pinned", tags=["keep"])
    runs = {name: start_run(config, str(flow_runs[name].id)) for name in ("ended", "of a kept run")}
    MlflowClient(address.uri(config)).set_tag(runs["of a kept run"], "keep", "yes")
    artifact = client.create_artifact(ArtifactCreate(key="score", flow_run_id=flow_runs["ended"].id, data="1"))
    for name in ("ended", "of a kept run", "pinned"):
        client.set_flow_run_state(flow_runs[name].id, Completed(), force=True)
        finish_run(config, str(flow_runs[name].id), "FINISHED")

    listed = retain(config, dry_run=True)
    assert [each.run.id for each in listed.runs] == [runs["ended"]]
    assert "ended" in listed.flow_runs
    assert {"at work", "pinned", "of a kept run"}.isdisjoint(listed.flow_runs)
    assert client.read_flow_run(flow_runs["ended"].id)

    done = retain(config)
    assert done.trash.startswith("1 runs purged")
    assert [run.info.run_id for run in mlflow_runs(own)] == [runs["of a kept run"]]
    with pytest.raises(ObjectNotFound):
        client.read_flow_run(flow_runs["ended"].id)
    assert artifact.id not in {each.id for each in client.read_artifacts()}
    for name in ("at work", "pinned", "of a kept run"):
        assert client.read_flow_run(flow_runs[name].id)


@pytest.mark.usefixtures("watched")
def test_the_server_tells_what_is_late_and_what_is_silent(webhook: Webhook) -> None:
    """The server sends both messages without our processes; a second setup made no second automations."""
    late = until(lambda: webhook.of("late")[2:])  # after two test messages
    silent = until(lambda: [each for each in webhook.of("lost") if "sends no heartbeat" in each["title"]])

    assert [each["title"] for each in late] == ['retrain waiting "for" nobody is late']
    assert "retrain silent sends no heartbeat" in [each["title"] for each in silent]


def test_the_heart_stops_with_its_run(config: Config, own: Path) -> None:
    """A closed run sends no more heartbeats."""
    runtime = config.runtime.model_copy(update={"workspace": str(own), "lost_after": 0.4})
    config = config.model_copy(update={"runtime": runtime})
    run_id = start_run(config, "flow")
    client = MlflowClient(address.uri(config))

    def beaten() -> str:
        return client.get_run(run_id).data.tags["owner.beat"]

    first = beaten()
    until(lambda: beaten() != first)
    finish_run(config, "flow", "FINISHED")
    time.sleep(0.2)
    last = beaten()
    time.sleep(0.2)
    assert beaten() == last
    assert datetime.fromisoformat(last) <= datetime.now(UTC)
