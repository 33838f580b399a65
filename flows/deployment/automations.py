"""`w2v alarms`: have Prefect's server tell what a dead process cannot, and try whether anybody hears.

Two automations of the server, which go on while every worker is down: a scheduled run that has not started in time, and
a run whose heartbeats have stopped. They hold the webhook's address as a block, which the server keeps encrypted.
"""

import os
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import CallWebhook, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from pydantic import SecretStr

from configs.loading import ConfigError
from configs.schema import Config, Event, Notify
from tasks import notifications
from tasks.notifications import Message
from tasks.orchestration.flow_runs import OURS, FlowRuns, server

BLOCK = "w2v-notify"  # the webhook's address on Prefect's server
STARTED = ["Pending", "Running", "Cancelling", "Cancelled", "Completed", "Failed", "Crashed", "AwaitingConcurrencySlot"]
ENDED = ["Completed", "Failed", "Crashed", "Cancelled", "Paused", "Suspended"]
SHORTEST = 10.0  # seconds that Prefect's server waits at least
NAMES = {"late": "w2v: a run is late", "lost": "w2v: a run has stopped beating"}
WHICH = "{{ flow.name }} {{ flow_run.name }}"
LINK = "{{ flow_run|ui_url or '' }}"
# a Message, once the server has filled it in
PAYLOAD = """\
{% set title %}TITLE{% endset %}{% set body %}BODY{% endset %}{% set link %}LINK{% endset %}
{"events": ["EVENT"], "title": {{ title|tojson }}, "body": {{ body|tojson }}, "run": "", "link": {{ link|tojson }},
"text": {{ [title, body, link]|join("\n")|tojson }}}"""
WHAT = {
    "late": (
        f"{WHICH} is late",
        "It has not started: look whether a worker of its pool is up (`prefect worker start`).",
    ),
    "lost": (f"{WHICH} has stopped beating", "Its process or host may be gone: `w2v reconcile` looks, and closes it."),
}


def arrange(config: Config) -> list[str]:
    """Set the server's automations up anew, those of the events that are wanted; their names.

    Raises ConfigError if there is no server, or nobody to tell.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError(
            "no server to watch\nexpected  PREFECT_API_URL names a server that stays, not a temporary one"
        )
    if not notifications.ways(config.notify):
        raise ConfigError(
            "nobody to tell\n"
            f"expected  the address of a webhook in the environment variable {config.notify.webhook}, "
            "or a block in notify.block\nfound     neither"
        )
    with server() as client:
        beaten = max(config.runtime.lost_after, FlowRuns(client).patience, SHORTEST)
        triggers = {
            "late": _trigger(["Late"], STARTED, max(config.notify.late_after, SHORTEST)),
            "lost": _trigger(["heartbeat"], ["heartbeat", *ENDED], beaten),
        }
        for name in NAMES.values():
            for former in client.read_automations_by_name(name):
                client.delete_automation(former.id)
        wanted = [event for event in triggers if event in config.notify.on]
        for event in wanted:
            actions = list(_actions(client, config.notify, *WHAT[event], event))
            client.create_automation(AutomationCore(name=NAMES[event], trigger=triggers[event], actions=actions))
    return [NAMES[event] for event in wanted]


def attempt(config: Config) -> dict[str, str]:
    """Send a test message each way; what went wrong with it, or nothing."""
    events: list[Event] = list(config.notify.on)
    message = Message(
        events, f"{config.name}: a test", "Whoever reads this is told of failures, decisions and late runs."
    )
    return {way: notifications.send(config.notify, way, message) for way in notifications.ways(config.notify)}


def show(config: Config) -> int:
    """Arrange and try; the exit code is 1 if a message was not taken."""
    for name in arrange(config):
        print(f"✓ automation  {name}")
    faults = attempt(config)
    for way, fault in faults.items():
        print(f"{'✗' if fault else '✓'} {way}  {fault or 'has taken a test message'}")
    return int(any(faults.values()))


def _trigger(after: list[str], expect: list[str], seconds: float) -> EventTrigger:
    """Fires for a flow run of ours after whose event `after` none that is expected came for so many seconds."""
    return EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "flow", "prefect.resource.name": OURS},
        after={f"prefect.flow-run.{name}" for name in after},
        expect={f"prefect.flow-run.{name}" for name in expect},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=seconds),
    )


def _actions(client: SyncPrefectClient, settings: Notify, title: str, body: str, event: str) -> Any:
    if address := os.environ.get(settings.webhook):
        payload = PAYLOAD
        for name, text in {"EVENT": event, "TITLE": title, "BODY": body, "LINK": LINK}.items():
            payload = payload.replace(name, text)
        block = Webhook(url=SecretStr(address), headers={"Content-Type": "application/json"})
        yield CallWebhook(block_document_id=_id(block.save(BLOCK, overwrite=True)), payload=payload)
    if settings.block:
        kind, _, name = settings.block.partition("/")
        document = client.read_block_document_by_name(name, kind)
        yield SendNotification(block_document_id=_id(document.id), subject=title, body=f"{body}\n{LINK}")


def _id(saved: Any) -> UUID:
    return UUID(str(saved))
