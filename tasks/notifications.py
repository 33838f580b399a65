"""Notify people of events, with what to do about them, by a webhook and by a Prefect block.

The webhook receives the message as JSON by POST; its field `text` has the whole message, as chat services expect. The
address is a secret and never logged. A message that cannot be sent only causes a log line.
"""

import logging
import os
from typing import Any, NamedTuple

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_incrementing

from configs.addresses import shown
from configs.schema import Event, Notify, Promotion
from tasks.errors import TrackingError
from tasks.maintenance.orphans import Lost
from tasks.orchestration import artifacts
from tasks.tracking.registry import Decision, RegisteredModel
from tasks.tracking.run import Run

TRIES, PAUSE, TIMEOUT = 3, 1.0, 10.0  # seconds
LINES = 5  # of an error that are sent
WORKER = "prefect"  # how the commands of workers begin

log = logging.getLogger("w2v")
logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs each address


class Message(NamedTuple):
    """A notification about one or more events."""

    events: list[Event]  # sent if the user subscribed to any of them
    title: str  # one line: what happened
    body: str  # details, and what to do
    run: str = ""  # MLflow's id
    link: str = ""

    @property
    def text(self) -> str:
        return "\n".join(filter(None, [self.title, self.body, self.link]))


def tell(settings: Notify, message: Message) -> None:
    """Send the message every configured way, if the user subscribed to one of its events."""
    if not wanted(settings, message.events):
        return
    for way in ways(settings):
        if fault := send(settings, way, message):
            log.warning("✗ could not notify %s of %r: %s", way, message.title, fault)


def wanted(settings: Notify, events: list[Event]) -> bool:
    """Return True if one of the events is subscribed to, and there is a way to send it."""
    return not set(events).isdisjoint(settings.on) and bool(ways(settings))


def ways(settings: Notify) -> list[str]:
    """Return where messages are sent: `webhook W2V_WEBHOOK`, `block slack-webhook/ops`."""
    found = [f"webhook {settings.webhook}"] if settings.webhook in os.environ else []
    return found + ([f"block {settings.block}"] if settings.block else [])


def send(settings: Notify, way: str, message: Message) -> str:
    """Send the message one way; return what went wrong, or ""."""
    return _post(settings.webhook, message) if way.startswith("webhook") else _notify(str(settings.block), message)


def of_failure(name: str, place: str, error: str, run: Run | None, again: str) -> Message:
    """Return the message on a failed flow run; `again` is the command that resumes it."""
    lines = shown(error).strip().splitlines()[:LINES]
    body = "\n".join([*lines, f"`{shown(again)}` goes on where it stopped."])
    return Message(["failure"], f"{name} failed in {place}", body, run.id if run else "", _link(run))


def of_decision(rule: Promotion, model: RegisteredModel, decision: Decision) -> Message:
    """Return the message on a promotion decision."""
    events: list[Event] = ["rejection" if decision.verdict == "kept back" else "promotion"]
    if decision.faults:
        events.append("no-learning")
    if decision.figures and decision.figures.drift > rule.max_drift:
        events.append("drift")
    todo = {
        "rejection": f"`w2v promote {decision.version} --because REASON` promotes it anyway.",
        "promotion": "`w2v rollback` restores the previous champion.",
    }
    run = Run(model.uri, decision.run_id)
    title = f"{model.name}: {decision.sentence.partition(': ')[0]}"
    return Message(events, title, f"{decision.why}\n{todo[events[0]]}", run.id, _link(run))


def of_no_learning(name: str, why: str, run: Run) -> Message:
    """Return the message on a successful retraining whose vectors have learnt nothing."""
    return Message(["no-learning"], f"{name} has learnt nothing", why, run.id, _link(run))


def of_lost(lost: Lost, uri: str) -> Message:
    """Return the message on an orphaned run."""
    run = Run(uri, lost.run_id) if lost.run_id else None
    again = f"`{lost.command}` resumes it" if _by_hand(lost.command) else "The next scheduled run resumes it"
    return Message(["lost"], f"{lost.name} has stopped", f"{lost.why}\n{again}.", lost.run_id, _link(run))


def _by_hand(command: str) -> bool:
    return bool(command) and not command.startswith(WORKER)


def _link(run: Run | None) -> str:
    try:
        return artifacts.link(run) if run else ""
    except TrackingError:  # MLflow itself may have failed
        return ""


def _post(variable: str, message: Message) -> str:
    values = {**message._asdict(), "text": message.text}
    waiting = wait_incrementing(PAUSE, PAUSE)
    tried = Retrying(stop=stop_after_attempt(TRIES), wait=waiting, retry=retry_if_exception(_may_pass), reraise=True)
    try:
        tried(lambda: httpx.post(os.environ[variable], json=values, timeout=TIMEOUT).raise_for_status())
    except httpx.HTTPStatusError as error:
        return f"it answers {error.response.status_code} {error.response.reason_phrase}"
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):  # their messages may contain the address
        return f"{variable} is not the address of a webhook, such as https://host/path"
    except (httpx.HTTPError, OSError) as error:
        return f"it cannot be reached ({type(error).__name__})"
    return ""


def _may_pass(error: BaseException) -> bool:
    """Return True if another attempt may succeed."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, (httpx.TransportError, OSError)) and not isinstance(error, httpx.UnsupportedProtocol)


def _notify(name: str, message: Message) -> str:
    """Send the message by a Prefect block, which stores its own secrets."""
    from prefect.blocks import notifications  # noqa: F401  (registers the known kinds of block)
    from prefect.blocks.core import Block

    try:
        block: Any = Block.load(name)
        block.notify(f"{message.body}\n{message.link}".strip(), message.title)
    except Exception as error:  # any error of the service: its message may contain the address
        return f"{type(error).__name__}; try it with `w2v alarms`"
    return ""
