"""Secrets in addresses: what counts as one, and the text without it. Nothing else decides either.

    scheme://user:PASSWORD@host   up to the last @ of the line, since people type / and @ and blanks as they are
    scheme://TOKEN@host           except where a user alone is usual: postgresql://mlflow@db, abfss://container@account
    ?password=SECRET &sig=SECRET #access_token=SECRET

Where an address may be read either way, it is masked: `https://host:8080/a@b` alone is taken at its word, a port.
"""

import re
from urllib.parse import unquote

MASK = "…"
LEAST = 3  # characters of a part of a secret that is masked wherever a library quotes it

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|https?:/", re.IGNORECASE)  # a Path leaves one slash of two
# where a name before the host is a user, or a container
_NAMED = {
    "postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "cockroachdb", "ssh", "sftp", "hdfs", "viewfs",
    "abfs", "abfss", "wasb", "wasbs", "az", "azure",
}  # fmt: skip
_WEB = {"http", "https"}
_HOST = re.compile(r"(?:\[[^]]*\]|[^/?#@:\s'\"]*)(?P<port>:\d{1,5})?(?P<next>$|[/?#\s'\"`,;)>\]])")
_PASSWORD = re.compile(r"[^/?#\s:]*:.*@")
_TOKEN = re.compile(r"[^/?#\s:'\"]*@")
_PARAMETER = r"(?P<begin>[?&#;]|(?:^|(?<=[\s,;({{]))(?=(?:password|passwd|pwd)=))(?P<name>[^=&?#;\s'\"]+)=(?P<value>{})"
_TO_BLANK = re.compile(_PARAMETER.format(r"[^&\s'\"<>]+"), re.IGNORECASE)
_TO_END = re.compile(_PARAMETER.format(r"[^&]+"), re.IGNORECASE)
_TO_QUOTE = {
    quote: re.compile(_PARAMETER.format(rf"(?:\\.|[^&\\{quote}])+"), re.IGNORECASE) for quote in ("'", '"', "`")
}
_NAME = re.compile(
    r".*(?:password|passwd|passphrase|pwd|secret|token|signature|credentials?|authorization"
    r"|(?:api|secret|access|account|private|subscription|auth)key(?:id)?)|key|sig|auth|pass|pw|jwt|bearer|odbcconnect"
)  # of a parameter, in lower case and without signs


def has_secret(address: str) -> bool:
    return _masked(address) != address


def shown(text: str, *addresses: str) -> str:
    """The text without the secrets of the addresses in it.

    And without the parts of those of `addresses`, which a library that fails to read one may quote by themselves.
    """
    masked = _masked(text)
    for part in (part for address in addresses for part in _parts(address)):
        masked = masked.replace(part, MASK)
    return masked


def _masked(text: str) -> str:
    return "\n".join(map(_line, text.split("\n")))


def public(address: str) -> str:
    """The address for a link: without a user, whose password is no one else's."""
    return shown(address).replace(f"//{MASK}@", "//")


def _parts(address: str) -> list[str]:
    """What `shown` masks in an address, whole and in the pieces between its signs; the longest first."""
    if not has_secret(address):
        return []
    # of user:password, the password alone: the user is what an error is about
    found = [match["secret"] for match in re.finditer(r"://(?:[^/:@]*:)?(?P<secret>[^\n]*)@", address)]
    found += [match["value"] for match in _TO_END.finditer(address) if _says_secret(match["name"])]
    pieces = [piece for secret in found for piece in [secret, *re.split(r"[/@:?#&\s]", secret)]]
    pieces += [unquote(piece) for piece in pieces]
    return sorted({piece for piece in pieces if len(piece) >= LEAST and MASK not in piece}, key=len, reverse=True)


def _line(line: str) -> str:
    found = list(_SCHEME.finditer(line))
    ends = [match.start() for match in found[1:]] + [len(line)]
    first = found[0].start() if found else len(line)
    parts = [_without_values(line[:first], _TO_BLANK)]
    for match, end in zip(found, ends, strict=False):
        before = line[: match.start()]
        alone = _TO_BLANK if re.search(r"\s", before) else _TO_END  # of an address alone, all is address
        rest = _without_user(match[0].partition(":")[0].lower(), line[match.end() : end])
        parts.append(match[0] + _without_values(rest, _TO_QUOTE.get(before[-1:], alone)))
    return "".join(parts)


def _without_user(scheme: str, rest: str) -> str:
    kinds = set(scheme.split("+"))
    host = _HOST.match(rest)
    if host and (not host["port"] or kinds & _WEB or host["next"] not in "/?#" or not host["next"]):
        return rest
    found = _PASSWORD.match(rest) or (None if kinds & _NAMED else _TOKEN.match(rest))
    return f"{MASK}@{rest[found.end() :]}" if found else rest


def _without_values(text: str, parameter: re.Pattern[str]) -> str:
    def masked(match: re.Match[str]) -> str:
        known = _says_secret(match["name"])
        return f"{match['begin']}{match['name']}={MASK}" if known else match[0]

    return parameter.sub(masked, text)


def _says_secret(name: str) -> bool:
    return bool(_NAME.fullmatch(re.sub(r"[^a-z0-9]", "", unquote(name).lower())))
