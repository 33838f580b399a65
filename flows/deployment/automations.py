"""`w2v alarms`: let Prefect's server notify about what a dead process cannot report, and send test messages.

Two automations of the server, which work even while every worker is down: for a scheduled run that has not started in
time, and for a run without heartbeats. They hold the webhook's address in a block, which the server encrypts.
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
SHORTEST = 10.0  # seconds: the shortest time that Prefect's server can wait
# by these names, earlier automations are found and replaced: renamed, they would stay
NAMES = {"late": "w2v: a run is late", "lost": "w2v: a run has stopped beating"}
WHICH = "{{ flow.name }} {{ flow_run.name }}"
LINK = "{{ flow_run|ui_url or '' }}"
# the server fills in this template; the result is a Message
PAYLOAD = """\
{% set title %}TITLE{% endset %}{% set body %}BODY{% endset %}{% set link %}LINK{% endset %}
{"events": ["EVENT"], "title": {{ title|tojson }}, "body": {{ body|tojson }}, "run": "", "link": {{ link|tojson }},
"text": {{ [title, body, link]|join("\n")|tojson }}}"""
WHAT = {
    "late": (
        f"{WHICH} is late",
        "It has not started: check that a worker of its pool is running (`prefect worker start`).",
    ),
    "lost": (f"{WHICH} sends no heartbeat", "Its process or host may be dead: `w2v reconcile` checks, and closes it."),
}


def arrange(config: Config) -> list[str]:
    """Replace the server's automations by those for the events in notify.on; return their names.

    Raises ConfigError if PREFECT_API_URL is not set, or neither a webhook nor a block is configured.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError(
            "no Prefect server for alarms\nexpected  the address of a permanent server in PREFECT_API_URL\n"
            "found     none\nStart one with `w2v up`, or set the variable."
        )
    if not notifications.ways(config.notify):
        raise ConfigError(
            "no recipient for notifications\n"
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
    """Send a test message on each channel; return the error of each, or "" if it was accepted."""
    events: list[Event] = list(config.notify.on)
    message = Message(
        events, f"{config.name}: a test", "You will be notified here about failures, decisions and late runs."
    )
    return {way: notifications.send(config.notify, way, message) for way in notifications.ways(config.notify)}


def show(config: Config) -> int:
    """Set up the automations and send test messages; return the exit code, 1 if a message was not accepted."""
    for name in arrange(config):
        print(f"✓ automation  {name}")
    faults = attempt(config)
    for way, fault in faults.items():
        print(f"{'✗' if fault else '✓'} {way}  {fault or 'has accepted a test message'}")
    return int(any(faults.values()))


def _trigger(after: list[str], expect: list[str], seconds: float) -> EventTrigger:
    """Return a trigger for our flow runs: an event in `after`, and none in `expect` for so many seconds."""
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
