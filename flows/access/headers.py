"""Read the headers of a request, and what they say of its origin."""

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

DEFAULT_PORTS = ("80", "443")  # browsers leave these out


def authorities(names: Iterable[str], port: int) -> list[str]:
    """Return the value of `Host` for each name of a server at the port."""
    return [authority(f"[{name}]:{port}" if ":" in name else f"{name}:{port}") for name in names]


def authority(host: str) -> str:
    """Normalize a host and port: lower case, no final dot, no default port; return "" if it is not valid."""
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or port.endswith("]"):  # no port, but the colons of an IPv6 address
        name, port = host.strip().lower(), ""
    name = name.removesuffix(".")
    if not name or set(name) & set("/@\\#? ") or ":" in name.rpartition("]")[2] or not (port or "0").isdigit():
        return ""
    return name if port in ("", *DEFAULT_PORTS) else f"{name}:{port}"


def of_origin(origin: str) -> str:
    """Return the host and port of an origin, or "" for `null`, the origin of sandboxed pages and files."""
    scheme, _, host = origin.strip().partition("://")
    return authority(host) if scheme in ("http", "https") else ""


def every(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def words(values: list[str]) -> list[str]:
    return [word.strip() for value in values for word in value.split(",")]


def cookies(values: list[str], name: str) -> list[str]:
    """Return all cookies of that name: other servers of the host may have set one for a narrower path."""
    pairs = [pair.strip().partition("=") for value in values for pair in value.split(";")]
    return [value for key, _, value in pairs if key == name]
