"""The credential of a server: a name and password for programs, links and cookies for browsers."""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

TOKEN = "w2v"  # the query parameter of the link


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
            return same(said.strip(), self.credential) or same(said.strip(), self.credential.partition(":")[2])
        try:
            return scheme.lower() == "basic" and same(base64.b64decode(said, validate=True), self.credential)
        except (binascii.Error, ValueError):
            return False


def same(said: str | bytes, known: str) -> bool:
    """Compare in constant time, which reveals nothing about where they differ."""
    sent = said.encode(errors="surrogatepass") if isinstance(said, str) else said
    return hmac.compare_digest(sent, known.encode())
