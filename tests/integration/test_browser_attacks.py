"""A guarded server, and the same server without its guard, attacked in a browser by pages of other origins."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from flows.access.guard import App, Guard, Receive, Scope, Send
from flows.access.headers import authorities
from flows.access.lock import Lock
from tests.support.attacks import WAYS, attack, elsewhere
from tests.support.browser import MISSING, Browser, browser
from tests.support.servers import in_thread

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
BODY = '{"a": 1}'


class Target:
    """Record every request, and answer it."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept", "subprotocol": "prefect"})
            self.reached.append(("socket", scope["path"], (await receive()).get("text", "")))
        elif scope["type"] == "http":
            body = (await receive())["body"].decode()
            destination = dict(scope["headers"]).get(b"sec-fetch-dest", b"").decode()
            self.reached.append((f"{scope['method']} {destination}", scope["path"], body.strip()))
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": b"<title>inside</title>"})


def served(target: Target, lock: Lock | None) -> AbstractContextManager[int]:
    """Serve at a port, behind a guard with the lock, or without a guard."""

    def guarded(port: int) -> App:
        return Guard(target, port, authorities(["127.0.0.1", "localhost"], port), lock) if lock else target

    return in_thread(guarded, lifespan="off")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("site", [0, 1], ids=["another site", "another port"])
def test_no_way_of_a_foreign_page_leads_in(chromium: Browser, guarded: bool, site: int) -> None:
    """The visitor uses the server in the same browser. Without the guard every attack succeeds."""
    target, lock = Target(), Lock.random()
    with elsewhere() as pages, served(target, lock if guarded else None) as port:
        chromium.open(lock.link(f"http://127.0.0.1:{port}/inside"))
        assert chromium.run("return document.title") == "inside"
        target.reached.clear()
        attack(chromium, pages[site], f"http://127.0.0.1:{port}", "/api/anything", BODY)

    kinds = {kind for kind, path, _ in target.reached if path == "/api/anything"}
    assert len(WAYS) == 6
    assert kinds == (
        set() if guarded else {"POST empty", "POST iframe", "GET image", "GET script", "GET iframe", "socket"}
    )
    assert guarded or ("POST empty", "/api/anything", BODY) in target.reached


@pytest.mark.parametrize("guarded", [True, False])
def test_a_name_that_is_made_to_lead_here_is_not_answered_to(chromium: Browser, guarded: bool) -> None:
    """DNS rebinding: the attacker's name now resolves to this machine, so its page has the same origin."""
    target = Target()
    with served(target, Lock.random() if guarded else None) as port:
        chromium.open(f"http://rebound.example:{port}/inside")
        said = chromium.run("return document.body.textContent + document.title")
        status = chromium.wait("fetch('/api/anything').then(answer => done(answer.status))")

    assert status == (403 if guarded else 200)
    assert ("does not answer to that name" in said) == guarded
    assert bool(target.reached) != guarded


def test_the_link_and_nothing_else_opens_the_pages(chromium: Browser) -> None:
    """A browser without the link is told to use it; with it, pages, their requests and sockets work."""
    target, lock = Target(), Lock.random()
    with elsewhere() as pages, served(target, lock) as port:
        page = f"http://127.0.0.1:{port}/inside"
        chromium.open(pages[0])
        chromium.run(f"location = {page!r}")
        refused = chromium.wait("setTimeout(() => done(document.title), 500)")
        chromium.open(lock.link(page))
        address = chromium.address
        asked = chromium.wait(
            f"fetch('/api/x', {{method: 'POST', body: {BODY!r}}}).then(answer => done(answer.status))"
        )
        opened = chromium.wait(
            f"const socket = new WebSocket('ws://127.0.0.1:{port}/api/y', 'prefect');"
            "socket.onopen = () => { socket.send('hello'); done('opened') }; socket.onerror = () => done('refused')"
        )
        cookies = chromium.run("return document.cookie")
        chromium.open(pages[0])
        chromium.run(f"location = {page!r}")
        followed = chromium.wait("setTimeout(() => done(document.title), 500)")

    assert refused != "inside"
    assert (address, cookies) == (page, "")
    assert (asked, opened, followed) == (200, "opened", "inside")
