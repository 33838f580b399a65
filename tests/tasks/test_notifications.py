"""Which notifications are sent, where, and what happens when that fails."""

import logging
from collections.abc import Iterator

import pytest

from configs.schema import Notify, Promotion
from tasks import notifications
from tasks.maintenance.orphans import Lost
from tasks.notifications import Message
from tasks.tracking.registry import Decision, Figures, RegisteredModel
from tests.support.webhook import SECRET, Webhook, listening

MESSAGE = Message(["failure"], "nightly failed in ingestion", "no such file", "r1", "http://here/r1")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with listening(Webhook()) as webhook:
        monkeypatch.setenv("W2V_WEBHOOK", webhook.address)
        monkeypatch.setattr(notifications, "PAUSE", 0.01)
        yield webhook


def test_the_webhook_gets_json(webhook: Webhook) -> None:
    """The webhook receives one POST with the parts of the message, and all of it as `text`."""
    notifications.tell(Notify(), MESSAGE)

    (heard,) = webhook.heard
    assert heard["events"] == ["failure"]
    assert heard["run"] == "r1"
    assert heard["text"] == "nightly failed in ingestion\nno such file\nhttp://here/r1"


def test_only_what_is_wanted_is_told(webhook: Webhook) -> None:
    """A message of several events is sent if the user subscribed to one of them."""
    wanted = Notify(on=["drift"])
    notifications.tell(wanted, MESSAGE)
    notifications.tell(wanted, MESSAGE._replace(events=["rejection", "drift"]))

    assert [each["events"] for each in webhook.heard] == [["rejection", "drift"]]


def test_a_webhook_that_stumbles_is_asked_again(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    """A server error is retried, a client error is not. No log line has the address."""
    caplog.set_level(logging.DEBUG)
    webhook.answers = [503, 429]
    notifications.tell(Notify(), MESSAGE)
    assert (webhook.calls, len(webhook.heard)) == (3, 1)

    webhook.answers = [404]
    notifications.tell(Notify(), MESSAGE)
    assert (webhook.calls, len(webhook.heard)) == (4, 1)
    ours = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]  # which is the webhook's
    assert "it answers 404" in ours[-1]
    assert SECRET not in "".join(ours)


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://127.0.0.1:9/hook?t0ken", "it cannot be reached (ConnectError)"),
        ("hooks.example/t0ken", "W2V_WEBHOOK is not the address of a webhook"),
        ("http://127.0.0.1:port/t0ken", "W2V_WEBHOOK is not the address of a webhook"),
        ("", "W2V_WEBHOOK is not the address of a webhook"),
    ],
)
def test_what_cannot_be_sent_is_said(
    address: str, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed notification is logged without the secret address, and raises nothing."""
    monkeypatch.setenv("W2V_WEBHOOK", address)
    monkeypatch.setattr(notifications, "PAUSE", 0.01)
    with caplog.at_level(logging.DEBUG):
        notifications.tell(Notify(), MESSAGE)

    assert f"could not notify webhook W2V_WEBHOOK of 'nightly failed in ingestion': {fault}" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("verdict", "drift", "events"),
    [
        ("promoted", 0.1, ["promotion"]),
        ("kept back", 0.1, ["rejection"]),
        ("kept back", 0.4, ["rejection", "drift"]),
        ("promoted", 0.4, ["promotion", "drift"]),
    ],
)
def test_decisions(verdict: str, drift: float, events: list[str], uri: str) -> None:
    """The message names the champion, the reason and what to do; drift above the limit is an event of its own."""
    figures = Figures(gates=[], incomparable=[], newer_data=False, drift=drift, overlap=0.5)
    decision = Decision(
        version="7", run_id="r7", verdict=verdict, against="6", why="because", who="w", when="now", figures=figures
    )
    model = RegisteredModel(uri, "vectors", {}, {})
    message = notifications.of_decision(Promotion(), model, decision)

    assert message.events == events
    assert message.title.startswith("vectors: version 7 is")
    assert message.body.startswith("because\n`w2v ")


def test_passwords_in_errors_are_masked() -> None:
    """Passwords in the error are masked, and only its first lines are sent."""
    error = "\n".join(["cannot reach postgresql://w2v:hunter2@db/mlflow", *map(str, range(20))])
    message = notifications.of_failure(
        "nightly", "publish", error, None, "w2v retrain --set tracking.uri=http://a:hunter2@b"
    )

    assert "hunter2" not in message.text
    assert "`w2v retrain --set tracking.uri=http://…@b` goes on" in message.text
    assert len(message.body.splitlines()) == notifications.LINES + 1


def test_who_is_lost_is_told_with_the_way_on() -> None:
    """The message gives the command that resumes a run; runs of workers are resumed by their schedule."""
    by_hand = Lost("nightly", "", "f1", "its host is gone", "w2v retrain nightly.toml")
    by_worker = by_hand._replace(command="prefect flow-run execute")

    assert "`w2v retrain nightly.toml` resumes it" in notifications.of_lost(by_hand, "").body
    assert "next scheduled run" in notifications.of_lost(by_worker, "").body
