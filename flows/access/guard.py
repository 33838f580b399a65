"""Access control: an ASGI application around another one, which admits only its user.

403  `Host` is not one of our names (DNS rebinding), or a page of another origin sent the request. Browsers say so in
     `Origin` and `Sec-Fetch-Site`, which no page can set. Another port is another origin. A foreign page may only link
     to one of our pages: a plain navigation, whose answer it does not see.
401  The credential is missing: Basic or Bearer for programs, a cookie for browsers, which the link of a Lock sets.

Cookies are shared by all ports of a host: so each server's cookie has its own name and value, and opens no other.
"""

import base64
import binascii
import hmac
import json
import os
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

SETTINGS = "W2V_GUARD"  # the variable that passes the guard's settings to a server's process, not by a command line
CALLER = "w2v.caller"  # in a scope's state: the connection, which is told that its caller is admitted
TOKEN = "w2v"  # the query parameter of the link
LIFE = 30 * 86400  # seconds until the cookie expires
DEFAULT_PORTS = ("80", "443")  # browsers leave these out
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


@dataclass(frozen=True)
class Lock:
    """NAME:PASSWORD, which programs send, and the key for browsers' links and cookies."""

    credential: str = field(repr=False)
    key: str = field(repr=False)

    @classmethod
    def random(cls) -> "Lock":
        """Return a lock with a random credential and key."""
        return cls(f"w2v:{secrets.token_urlsafe(32)}", secrets.token_hex(32))

    def link(self, page: str) -> str:
        """Return the page's address with the token that logs a browser in."""
        parts = urlsplit(page)
        query = "&".join(filter(None, [parts.query, f"{TOKEN}={self.token('link', parts.port or 80)}"]))
        return urlunsplit(parts._replace(path=parts.path or "/", query=query))

    def token(self, purpose: str, port: int) -> str:
        """Return the token of a purpose, "link" or "cookie", for the server at a port."""
        return hmac.new(self.key.encode(), f"{purpose} {port}".encode(), "sha256").hexdigest()[:32]

    def opens(self, authorization: str) -> bool:
        """Return True if the header holds the credential, as Basic or as Bearer."""
        scheme, _, said = authorization.strip().partition(" ")
        if scheme.lower() == "bearer":
            return _same(said.strip(), self.credential) or _same(said.strip(), self.credential.partition(":")[2])
        try:
            return scheme.lower() == "basic" and _same(base64.b64decode(said, validate=True), self.credential)
        except (binascii.Error, ValueError):
            return False


class Guard:
    """`app` behind a lock.

    `hosts` are our names with their ports, or patterns. Without a lock, the app itself checks credentials. The health
    page is open to all. With `sockets`, a WebSocket may have its credential in the first message, as Prefect's do.
    """

    def __init__(
        self, app: App, port: int, hosts: Iterable[str], lock: Lock | None, *, health: str = "", sockets: bool = False
    ) -> None:
        self._app, self._port, self._lock, self._health, self._sockets = app, port, lock, health, sockets
        self._hosts = [_authority(host) for host in hosts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
        elif not self._is_ours(_all(scope["headers"], b"host")):
            await _refuse(scope, receive, send, 403, NOT_OURS)
        elif self._is_foreign(scope, scope["headers"]):
            await _refuse(scope, receive, send, 403, FOREIGN)
        elif kind == "http":
            await self._answer(scope, receive, send)
        elif self._knows(scope["headers"]):
            self._admit(scope)
            await self._app(scope, receive, send)
        elif self._sockets and "prefect" in _words(_all(scope["headers"], b"sec-websocket-protocol")):
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
        return len(hosts) == 1 and all(self._is_named(_authority(host)) for host in hosts)

    def _is_named(self, authority: str) -> bool:
        return bool(authority) and any(authority == host or fnmatchcase(authority, host) for host in self._hosts)

    def _is_foreign(self, scope: Scope, headers: Headers) -> bool:
        """Return True if a page of another origin sent the request, unless its visitor followed a link."""
        if not all(self._is_named(_of_origin(origin)) for origin in _all(headers, b"origin")):
            return True
        if set(_all(headers, b"sec-fetch-site")) <= {"same-origin", "none"}:
            return False
        mode, destination = _all(headers, b"sec-fetch-mode"), _all(headers, b"sec-fetch-dest")
        page = scope["path"].lstrip("/").partition("/")[0] not in APIS
        return not (scope.get("method") == "GET" and mode == ["navigate"] and destination == ["document"] and page)

    def _knows(self, headers: Headers) -> bool:
        if self._lock is None or any(map(self._lock.opens, _all(headers, b"authorization"))):
            return True
        cookie, known = f"w2v-{self._port}", self._lock.token("cookie", self._port)
        return any(_same(said, known) for said in _cookies(_all(headers, b"cookie"), cookie))

    def _unlocked(self, scope: Scope, lock: Lock) -> bytes:
        """Return the link's address on this server without its token, or b"" if the token is wrong or missing."""
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        known = lock.token("link", self._port)
        if not any(_same(value, known) for name, value in pairs if name == TOKEN):
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
            if self._lock and _same(_token(message), self._lock.credential):
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


def authorities(names: Iterable[str], port: int) -> list[str]:
    """Return the value of `Host` for each name of a server at the port."""
    return [_authority(f"[{name}]:{port}" if ":" in name else f"{name}:{port}") for name in names]


def _authority(host: str) -> str:
    """Normalize a host and port: lower case, no final dot, no default port; return "" if it is not valid."""
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or port.endswith("]"):  # no port, but the colons of an IPv6 address
        name, port = host.strip().lower(), ""
    name = name.removesuffix(".")
    if not name or set(name) & set("/@\\#? ") or ":" in name.rpartition("]")[2] or not (port or "0").isdigit():
        return ""
    return name if port in ("", *DEFAULT_PORTS) else f"{name}:{port}"


def _of_origin(origin: str) -> str:
    """Return the host and port of an origin, or "" for `null`, the origin of sandboxed pages and files."""
    scheme, _, host = origin.strip().partition("://")
    return _authority(host) if scheme in ("http", "https") else ""


def _has_signed_in(headers: Headers, lock: Lock) -> bool:
    """Return True if a browser sends a password from its dialog; not every browser sends it to WebSockets too."""
    return "navigate" in _all(headers, b"sec-fetch-mode") and any(map(lock.opens, _all(headers, b"authorization")))


def _all(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def _words(values: list[str]) -> list[str]:
    return [word.strip() for value in values for word in value.split(",")]


def _cookies(values: list[str], name: str) -> list[str]:
    """Return all cookies of that name: other servers of the host may have set one for a narrower path."""
    pairs = [pair.strip().partition("=") for value in values for pair in value.split(";")]
    return [value for key, _, value in pairs if key == name]


def _token(message: Message) -> str:
    try:
        said = json.loads(message.get("text") or message.get("bytes") or "")
        return str(said["token"]) if said["type"] == "auth" else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _same(said: str | bytes, known: str) -> bool:
    """Compare in constant time, which reveals nothing about where they differ."""
    sent = said.encode(errors="surrogatepass") if isinstance(said, str) else said
    return hmac.compare_digest(sent, known.encode())
