"""The guard of a server: which callers it admits, by their headers."""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from flows.access.guard import CALLER, Guard, Message, Receive, Scope, Send
from flows.access.headers import authorities
from flows.access.lock import Lock

PORT = 4200
LOCK = Lock("boss:horse-battery", "key")
NAMES = ["localhost", "127.0.0.1", "::1"]
BASIC = {"authorization": f"Basic {base64.b64encode(LOCK.credential.encode()).decode()}"}
COOKIE = {"cookie": f"theme=dark; w2v-{PORT}={LOCK.token('cookie', PORT)}"}
AUTH = json.dumps({"type": "auth", "token": LOCK.credential})  # a first message
LINKED = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
Said = dict[str, str] | Sequence[tuple[str, str]]


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says yes to what reaches it; of a WebSocket, it says what it has received."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": json.dumps(await receive())})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"yes")]})
    await send({"type": "http.response.body", "body": b"yes"})


def ask(
    headers: Said | None = None, host: str | None = f"127.0.0.1:{PORT}", *, path: str = "/api/flows", query: str = "",
    method: str = "GET", kind: str = "http", first: str = "", guard: Guard | None = None, caller: Any = None,
) -> list[Message]:  # fmt: skip
    """Return what the guard and its app send to a caller with these headers."""
    said = list(headers.items()) if isinstance(headers, dict) else list(headers or ())
    said += [("host", host)] if host is not None else []
    scope: dict[str, Any] = {
        "type": kind, "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in said],
        "state": {CALLER: caller} if caller else {},
    }  # fmt: skip
    waiting: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": first}]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    guard = guard or Guard(_app, PORT, authorities(NAMES, PORT), LOCK, health="/api/health", sockets=True)
    asyncio.run(guard(scope, receive, send))
    return sent


def status(*words: Any, **named: Any) -> int:
    """Return the status; 403 for a WebSocket that does not open."""
    first = ask(*words, **named)[0]
    return 403 if first["type"] == "websocket.close" else int(first["status"])


def header(sent: list[Message], name: bytes) -> str:
    return "\n".join(value.decode() for key, value in sent[0]["headers"] if key == name)


@pytest.mark.parametrize("headers", [BASIC, COOKIE, {"authorization": "bearer horse-battery"}])
def test_a_credential_opens(headers: dict[str, str]) -> None:
    """Basic, Bearer and the cookie are accepted, for HTTP and WebSockets."""
    opened = ask(headers, kind="websocket")

    assert status(headers, method="POST") == 200
    assert opened[0]["type"] == "websocket.accept"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic"},
        {"authorization": "Basic ?"},
        {"authorization": f"Basic {base64.b64encode(b'boss:horse').decode()}"},
        {"authorization": "Bearer "},
        {"authorization": "Digest boss:horse-battery"},
        {"authorization": "Bearer höörse"},
        {"cookie": f"w2v-{PORT}="},
        {"cookie": f"w2v-{PORT + 1}={LOCK.token('cookie', PORT)}"},
        {"cookie": f"w2v-{PORT}={LOCK.token('cookie', PORT + 1)}"},
        {"cookie": f"w2v-{PORT}={LOCK.token('link', PORT)}"},
    ],
)
def test_without_the_credential_nothing_opens(headers: dict[str, str]) -> None:
    """A missing, partial or wrong credential, or that of another port, gives 401 with a challenge for browsers."""
    refused = ask(headers)

    assert refused[0]["status"] == 401
    assert header(refused, b"www-authenticate").startswith("Basic ")
    assert not header(refused, b"x-app")
    assert status(headers, kind="websocket") == 403


@pytest.mark.parametrize(
    "host", [f"localhost:{PORT}", f"LocalHost:{PORT}", f"localhost.:{PORT}", f"127.0.0.1:{PORT}", f"[::1]:{PORT}"]
)
def test_its_own_names_are_answered_to(host: str) -> None:
    """The server's names are accepted in every spelling."""
    assert status(BASIC, host) == 200


@pytest.mark.parametrize(
    "host",
    [
        None, "", "localhost", "127.0.0.1", "localhost:4201", f"evil.example:{PORT}", f"127.0.0.1.evil.example:{PORT}",
        f"localhost@evil.example:{PORT}", f"evil.example#localhost:{PORT}", f"localhost:{PORT}:", f":{PORT}", "[::1]",
        f"[::]:{PORT}", f"127.0.0.2:{PORT}", f"localhost..:{PORT}", f"127.1:{PORT}",
    ],
)  # fmt: skip
def test_no_other_name_is_answered_to(host: str | None) -> None:
    """Other names, and no name, are refused, even with the right credential and for the health page."""
    assert status(BASIC, host) == 403
    assert status(BASIC, host, kind="websocket") == 403
    assert status({}, host, path="/api/health") == 403


def test_what_a_caller_says_twice_or_for_another_does_not_count() -> None:
    """Two Host headers are refused, and a proxy's headers about the host are ignored."""
    assert status([*BASIC.items(), ("host", "evil.example")]) == 403
    assert status([*BASIC.items(), ("host", f"127.0.0.1:{PORT}")]) == 403
    assert status(BASIC | {"x-forwarded-host": f"localhost:{PORT}"}, "evil.example") == 403
    assert status(BASIC | {"x-forwarded-host": "evil.example"}) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "null", "", "http://127.0.0.1:4201", f"file://127.0.0.1:{PORT}", f"127.0.0.1:{PORT}",
        "http://localhost", f"http://127.0.0.1.evil.example:{PORT}", "chrome-extension://abcdefgh",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_no_other_origin_may_ask(origin: str, kind: str) -> None:
    """Other origins are refused, even with the visitor's credentials; another port is another origin."""
    for known in (BASIC, COOKIE, {}):
        assert status(known | {"origin": origin}, kind=kind, method="POST") == 403
    assert status([*BASIC.items(), ("origin", f"http://127.0.0.1:{PORT}"), ("origin", origin)], kind=kind) == 403


def test_its_own_pages_may_ask() -> None:
    """The server's own pages are admitted under each of its names, for HTTP and WebSockets."""
    for origin in (f"http://127.0.0.1:{PORT}", f"http://LOCALHOST:{PORT}", f"https://[::1]:{PORT}"):
        headers = COOKIE | {"origin": origin, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}

        assert status(headers, method="POST") == 200
        assert ask(headers, kind="websocket")[0]["type"] == "websocket.accept"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "from-elsewhere"])
def test_what_a_foreign_page_embeds_is_refused(site: str) -> None:
    """Images, scripts, frames, forms and fetches may omit Origin, but all send Sec-Fetch-Site."""
    foreign = COOKIE | {"sec-fetch-site": site}
    embedded = [("no-cors", "image"), ("no-cors", "script"), ("navigate", "iframe"), ("cors", "empty"), ("", "")]

    for mode, destination in embedded:
        asked = foreign | {"sec-fetch-mode": mode, "sec-fetch-dest": destination}
        assert status(asked, path="/") == 403
        assert status(asked, path="/api/health") == 403
    for method in ("POST", "DELETE", "HEAD", "OPTIONS"):
        assert status(COOKIE | LINKED | {"sec-fetch-site": site}, path="/", method=method) == 403
    assert status(COOKIE | LINKED, path="/api/flows") == 403
    assert status(COOKIE | LINKED, path="//ajax-api/2.0/mlflow/runs") == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "same-origin"])
def test_a_link_may_lead_to_a_page(site: str) -> None:
    """Links from mails and between our servers open for a browser with the cookie."""
    followed = LINKED | {"sec-fetch-site": site}

    assert status(COOKIE | followed, path="/runs/flow-run/1") == 200
    assert status(followed, path="/runs/flow-run/1") == 401


def test_the_link_lets_a_browser_in() -> None:
    """The link sets a cookie that scripts cannot read and foreign pages cannot send, and its token is dropped."""
    link = urlsplit(LOCK.link(f"http://127.0.0.1:{PORT}/dashboard?tab=runs&empty=#/top"))
    assert (link.path, link.fragment) == ("/dashboard", "/top")

    sent = ask({}, path=link.path, query=link.query)
    (cookie, *rules) = header(sent, b"set-cookie").split("; ")
    assert sent[0]["status"] == 303
    assert header(sent, b"location") == "/dashboard?tab=runs&empty="
    assert (header(sent, b"referrer-policy"), header(sent, b"cache-control")) == ("no-referrer", "no-store")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(rules)
    assert status({"cookie": cookie}) == 200
    assert LOCK.key not in cookie + link.query
    assert "horse-battery" not in cookie + link.query


def test_no_other_link_does() -> None:
    """Tokens of another port or of a cookie, and links embedded in foreign pages, are refused; no link leads to another
    server.
    """
    for token in ("", "no", LOCK.token("link", PORT + 1), LOCK.token("cookie", PORT)):
        assert status({}, query=f"w2v={token}") == 401
    link = f"w2v={LOCK.token('link', PORT)}"
    assert status({}, query=link, method="POST") == 401
    assert status(LINKED | {"sec-fetch-dest": "image"}, path="/", query=link) == 403
    for path in ("//evil.example/", "/\\evil.example", "///evil.example"):
        assert header(ask({}, path=path, query=link), b"location").startswith("/evil.example")


def test_who_signs_in_at_the_browsers_dialogue_gets_the_cookie() -> None:
    """A browser that logs in by its dialog gets the cookie, for WebSockets; programs and wrong passwords do not."""
    page = {"sec-fetch-mode": "navigate", "sec-fetch-site": "none"}

    assert header(ask(BASIC | page), b"set-cookie").startswith(f"w2v-{PORT}=")
    assert not header(ask(BASIC), b"set-cookie")
    assert not header(ask({"authorization": "Basic bm86bm8="} | page, path="/api/health"), b"set-cookie")


def test_health_needs_no_credential() -> None:
    """Only the health page is open, not paths that look like it."""
    assert status({}, path="/api/health") == 200
    for path in ("/api/health/", "/api/healthy", "/api", "/api/variables/name/api/health", "//api/health"):
        assert status({}, path=path) == 401


@pytest.mark.parametrize(
    "first",
    [
        "",
        "{}",
        "[]",
        '{"type": "auth"}',
        '{"type": "auth", "token": "boss:horse"}',
        '{"type": "auth", "token": "\\ud800"}',
    ],
)
def test_a_socket_whose_first_message_has_no_credential_is_closed(first: str) -> None:
    """The app sees only a disconnect."""
    prefect = {"sec-websocket-protocol": "chat, prefect"}
    told, heard = ask(prefect, kind="websocket", first=first)[1:]

    assert told == {"type": "websocket.close", "code": 1008, "reason": "Invalid token"}
    assert json.loads(heard["text"])["type"] == "websocket.disconnect"
    assert status({}, kind="websocket", first=first) == 403


def test_a_socket_whose_first_message_has_the_credential_is_open() -> None:
    """Prefect's clients send the credential in the first message."""
    first = json.dumps({"type": "auth", "token": LOCK.credential})
    accepted, heard = ask({"sec-websocket-protocol": "prefect"}, kind="websocket", first=first)

    assert accepted["type"] == "websocket.accept"
    assert json.loads(heard["text"])["text"] == first


def test_without_a_lock_names_and_origins_still_count() -> None:
    """Without a lock the app checks credentials itself; a proxy's names may be patterns without a port."""
    guard = Guard(_app, PORT, [*authorities(["127.0.0.1"], PORT), "*.example", "vectors.test:443"], None)

    assert status({}, guard=guard) == 200
    assert status({}, "a.example", guard=guard) == 200
    assert status({"origin": "https://vectors.test"}, "vectors.test", guard=guard) == 200
    assert status({}, f"a.example:{PORT}", guard=guard) == 403
    assert status({"origin": "null"}, guard=guard) == 403


class Caller:
    """A connection that can be admitted."""

    known = False

    def admit(self) -> None:
        self.known = True


@pytest.mark.parametrize(
    ("known", "about"),
    [
        (True, {"headers": BASIC}),
        (True, {"headers": COOKIE, "kind": "websocket"}),
        (True, {"headers": {"sec-websocket-protocol": "prefect"}, "kind": "websocket", "first": AUTH}),
        (False, {}),
        (False, {"path": "/api/health"}),
        (False, {"headers": BASIC, "host": "elsewhere.example"}),
        (False, {"headers": {"sec-websocket-protocol": "prefect"}, "kind": "websocket", "first": "{}"}),
        (False, {"guard": Guard(_app, PORT, authorities(NAMES, PORT), None)}),
    ],
)
def test_a_connection_is_told_whether_its_caller_is_known(known: bool, about: dict[str, Any]) -> None:
    """A connection is admitted by a credential, and never if the app checks credentials itself."""
    caller = Caller()
    ask(**about, caller=caller)

    assert caller.known == known


def test_no_foreign_page_may_frame_or_load_an_answer() -> None:
    """Headers of every response protect browsers that do not say where a request comes from."""
    sent = ask(BASIC)

    assert header(sent, b"content-security-policy") == "frame-ancestors 'self'"
    assert header(sent, b"cross-origin-resource-policy") == "same-origin"
    assert header(sent, b"x-app") == "yes"


def test_a_lock_does_not_show_its_secrets() -> None:
    """A lock's text has no secret, for tracebacks and logs; two random locks differ."""
    assert repr(LOCK) == "Lock()"
    assert Lock.random() != Lock.random()
