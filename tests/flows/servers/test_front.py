"""The first page of MLflow's server, for each browser that asks for it."""

import asyncio
import re
from typing import Any

import pytest

from configs.schema import Config
from flows.access.guard import Message, Receive, Scope, Send
from flows.servers.front import DATABASE, Front
from tasks.tracking import address
from tests.support.runs import start_run

PAGE = b"<html><head><title>MLflow</title></head></html>"


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the page in two parts, or with 304 to a browser that says that it has it."""
    has_it = any(name == b"if-none-match" for name, _ in scope["headers"])
    headers = [(b"content-length", b"47"), (b"etag", b"x"), (b"x-app", b"yes")]
    await send({"type": "http.response.start", "status": 304 if has_it else 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE[:9], "more_body": True})
    await send({"type": "http.response.body", "body": PAGE[9:]})


def ask(path: str, *headers: tuple[bytes, bytes]) -> tuple[Message, bytes]:
    """Return the start of the answer, and its body."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": list(headers)}
    asyncio.run(Front(_app)(scope, receive, send))
    return sent[0], b"".join(each["body"] for each in sent[1:])


def test_the_first_page_leads_to_the_newest_run(own: Any, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our script is in the page before MLflow's, also for a browser that has an older page; the length is right."""
    mine = config.model_copy(update={"runtime": config.runtime.model_copy(update={"workspace": str(own)})})
    monkeypatch.setenv(DATABASE, address.uri(mine))
    _, without = ask("/")
    start_run(mine, "flow")
    start, body = ask("/", (b"if-none-match", b"x"))
    script = re.search(rb"<head><script>(.*)</script><title>", body)

    assert b'"#/experiments?workflowType=machine_learning"' in without
    assert script
    assert b'"#/experiments/1/runs?viewStateShareKey=scores&workflowType=machine_learning"' in script[1]
    assert start["status"] == 200
    assert dict(start["headers"]) == {
        b"x-app": b"yes",
        b"content-length": str(len(body)).encode(),
        b"cache-control": b"no-cache",
    }


def test_other_pages_are_those_of_mlflow() -> None:
    """Nothing else is held back or changed."""
    start, body = ask("/static-files/x.js", (b"if-none-match", b"x"))

    assert (start["status"], body) == (304, PAGE)


def test_without_a_database_the_page_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens on the experiments if it cannot be known which one is the newest."""
    monkeypatch.setenv(DATABASE, "http://127.0.0.1:1")
    _, body = ask("")

    assert b'"#/experiments?workflowType=machine_learning"' in body
