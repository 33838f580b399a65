"""Access control: an ASGI application around another one, which admits only its user.

403  `Host` is not one of our names (DNS rebinding), or a page of another origin sent the request. Browsers say so in
     `Origin` and `Sec-Fetch-Site`, which no page can set. Another port is another origin. A foreign page may only link
     to one of our pages: a plain navigation, whose answer it does not see.
401  The credential is missing: Basic or Bearer for programs, a cookie for browsers, which the link of a Lock sets.

Cookies are shared by all ports of a host: so each server's cookie has its own name and value, and opens no other.
"""

import json
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flows.access.headers import Headers, authority, cookies, every, of_origin, words
from flows.access.lock import TOKEN, Lock, same

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SETTINGS = "W2V_GUARD"  # the variable that passes the guard's settings to a server's process, not by a command line
CALLER = "w2v.caller"  # in a scope's state: the connection, which is told that its caller is admitted
LIFE = 30 * 86400  # seconds until the cookie expires
APIS = ("api", "ajax-api")  # first folders of paths that are not pages
POLICY_VIOLATION = 1008
# on each response: no foreign page may frame it, load it as an image or script, or receive its address as referrer
SHUT = [
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
]
UNSEEN = [(b"referrer-policy", b"no-referrer"), (b"cache-control", b"no-store")]
CHALLENGE = (b"www-authenticate", b'Basic realm="w2v", charset="UTF-8"')
NOT_OURS = "This server does not answer to that name.\n"
FOREIGN = "A page of another site may not ask this server.\n"
LOCKED = "This server is locked: open the link that w2v has printed (`w2v status` prints those of `w2v up` again).\n"


class Guard:
    """`app` behind a lock.

    `hosts` are our names with their ports, or patterns. Without a lock, the app itself checks credentials. The health
    page is open to all. With `sockets`, a WebSocket may have its credential in the first message, as Prefect's do.
    """

    def __init__(
        self, app: App, port: int, hosts: Iterable[str], lock: Lock | None, *, health: str = "", sockets: bool = False
    ) -> None:
        self._app, self._port, self._lock, self._health, self._sockets = app, port, lock, health, sockets
        self._hosts = [authority(host) for host in hosts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
        elif not self._is_ours(every(scope["headers"], b"host")):
            await _refuse(scope, receive, send, 403, NOT_OURS)
        elif self._is_foreign(scope, scope["headers"]):
            await _refuse(scope, receive, send, 403, FOREIGN)
        elif kind == "http":
            await self._answer(scope, receive, send)
        elif self._knows(scope["headers"]):
            self._admit(scope)
            await self._app(scope, receive, send)
        elif self._sockets and "prefect" in words(every(scope["headers"], b"sec-websocket-protocol")):
            await self._app(scope, self._after_its_credential(scope, receive, send), send)
        else:
            await _refuse(scope, receive, send, 401, LOCKED)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, lock = scope["headers"], self._lock
        cookie = [self._cookie(lock)] if lock else []
        if lock and scope["method"] == "GET" and (clean := self._unlocked(scope, lock)):
            await _refuse(scope, receive, send, 303, "", [(b"location", clean), *cookie, *UNSEEN])
        elif self._knows(headers) or (self._health and scope["path"] == self._health):
            if self._knows(headers):
                self._admit(scope)
            more = SHUT + (cookie if lock and _has_signed_in(headers, lock) else [])

            async def shut(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message.get("headers", []), *more]}
                await send(message)

            await self._app(scope, receive, shut)
        else:
            await _refuse(scope, receive, send, 401, LOCKED, [CHALLENGE, *UNSEEN])

    def _is_ours(self, hosts: Collection[str]) -> bool:
        """Return True if there is exactly one `Host`, and it is one of our names."""
        return len(hosts) == 1 and all(self._is_named(authority(host)) for host in hosts)

    def _is_named(self, authority: str) -> bool:
        return bool(authority) and any(authority == host or fnmatchcase(authority, host) for host in self._hosts)

    def _is_foreign(self, scope: Scope, headers: Headers) -> bool:
        """Return True if a page of another origin sent the request, unless its visitor followed a link."""
        if not all(self._is_named(of_origin(origin)) for origin in every(headers, b"origin")):
            return True
        if set(every(headers, b"sec-fetch-site")) <= {"same-origin", "none"}:
            return False
        mode, destination = every(headers, b"sec-fetch-mode"), every(headers, b"sec-fetch-dest")
        page = scope["path"].lstrip("/").partition("/")[0] not in APIS
        return not (scope.get("method") == "GET" and mode == ["navigate"] and destination == ["document"] and page)

    def _knows(self, headers: Headers) -> bool:
        if self._lock is None or any(map(self._lock.opens, every(headers, b"authorization"))):
            return True
        cookie, known = f"w2v-{self._port}", self._lock.token("cookie", self._port)
        return any(same(said, known) for said in cookies(every(headers, b"cookie"), cookie))

    def _unlocked(self, scope: Scope, lock: Lock) -> bytes:
        """Return the link's address on this server without its token, or b"" if the token is wrong or missing."""
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        known = lock.token("link", self._port)
        if not any(same(value, known) for name, value in pairs if name == TOKEN):
            return b""
        rest = urlencode([pair for pair in pairs if pair[0] != TOKEN]).encode()
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        return b"/" + path.lstrip(b"/\\") + (b"?" + rest if rest else b"")

    def _cookie(self, lock: Lock) -> tuple[bytes, bytes]:
        said = f"w2v-{self._port}={lock.token('cookie', self._port)}; Path=/; Max-Age={LIFE}; HttpOnly; SameSite=Lax"
        return b"set-cookie", said.encode()

    def _admit(self, scope: Scope) -> None:
        """Tell the connection that its caller is admitted; without a lock, only the app knows that."""
        if self._lock and (connection := scope.get("state", {}).get(CALLER)):
            connection.admit()

    def _after_its_credential(self, scope: Scope, receive: Receive, send: Send) -> Receive:
        """Return a `receive` that demands the credential in the first message, where Prefect's clients send it."""
        first = True

        async def checked() -> Message:
            nonlocal first
            message = await receive()
            if not first or message["type"] != "websocket.receive":
                return message
            first = False
            if self._lock and same(_token(message), self._lock.credential):
                self._admit(scope)
                return message
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "Invalid token"})
            return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}

        return checked


def guard_environment(port: int, hosts: Iterable[str], lock: Lock | None) -> dict[str, str]:
    """Return the environment variables for a process that serves `guarded(app)`."""
    known = [lock.credential, lock.key] if lock else []
    return {SETTINGS: json.dumps({"port": port, "hosts": list(hosts), "lock": known})}


def is_locked() -> bool:
    """Return True if the environment has a lock for the server of this process."""
    return bool(json.loads(os.environ[SETTINGS])["lock"])


def guarded(app: App, *, health: str, sockets: bool = False) -> Guard:
    """Return the app behind a guard with the settings of the environment; raises KeyError if there are none."""
    said = json.loads(os.environ[SETTINGS])
    lock = Lock(*said["lock"]) if said["lock"] else None
    return Guard(app, said["port"], said["hosts"], lock, health=health, sockets=sockets)


async def _refuse(
    scope: Scope, receive: Receive, send: Send, status: int, body: str, headers: Headers | None = None
) -> None:
    """Answer instead of the app; a WebSocket is closed before it opens, which servers report as 403."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return
    said = body.encode()
    about = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*about, *(headers or [])]})
    await send({"type": "http.response.body", "body": said})


def _has_signed_in(headers: Headers, lock: Lock) -> bool:
    """Return True if a browser sends a password from its dialog; not every browser sends it to WebSockets too."""
    return "navigate" in every(headers, b"sec-fetch-mode") and any(map(lock.opens, every(headers, b"authorization")))


def _token(message: Message) -> str:
    try:
        said = json.loads(message.get("text") or message.get("bytes") or "")
        return str(said["token"]) if said["type"] == "auth" else ""
    except (ValueError, KeyError, TypeError):
        return ""
