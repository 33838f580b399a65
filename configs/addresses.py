"""Find and mask secrets in addresses; all other modules use this one for it.

    scheme://user:PASSWORD@host   up to the last @ of the line, since people type / and @ and blanks unescaped
    scheme://TOKEN@host           except for schemes with a user alone: postgresql://mlflow@db, abfss://container@account
    ?password=SECRET &sig=SECRET #access_token=SECRET

If in doubt, mask. The exception is `https://host:8080/a@b`, which is read as a port and a path.
"""

import re
from urllib.parse import unquote

MASK = "…"
LEAST = 3  # characters: shorter parts of a secret are not masked on their own

# Of a long text without an address only so many letters are looked through from each one. The second form is what
# pathlib.Path makes of an address: it drops one of the two slashes.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,40}://|https?:/", re.IGNORECASE)
# schemes where a name before the host is a user or a container
_NAMED = {
    "postgresql",
    "postgres",
    "mysql",
    "mariadb",
    "mssql",
    "oracle",
    "cockroachdb",
    "ssh",
    "sftp",
    "hdfs",
    "viewfs",
    "abfs",
    "abfss",
    "wasb",
    "wasbs",
    "az",
    "azure",
}
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
)  # names of parameters that hold secrets, in lower case and without punctuation


def has_secret(address: str) -> bool:
    """Return True if the address holds a password, token or key."""
    return _masked(address) != address


def shown(text: str, *addresses: str) -> str:
    """Mask the secrets of all addresses in the text.

    Also mask the parts of the secrets in `addresses`, which a library may quote alone if it fails to parse an address.
    """
    masked = _masked(text)
    for part in (part for address in addresses for part in _parts(address)):
        masked = masked.replace(part, MASK)
    return masked


def _masked(text: str) -> str:
    return "\n".join(map(_line, text.split("\n")))


def public(address: str) -> str:
    """Return the address for a link, without user and password."""
    return shown(address).replace(f"//{MASK}@", "//")


def _parts(address: str) -> list[str]:
    """Return the secrets of an address, whole and in pieces between punctuation marks, longest first."""
    if not has_secret(address):
        return []
    # of user:password only the password, since errors need to name the user
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
        alone = _TO_BLANK if re.search(r"\s", before) else _TO_END  # a text without blanks before it is all one address
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
