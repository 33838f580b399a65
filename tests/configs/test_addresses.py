"""Secrets in addresses: every form of one is masked, and addresses without one stay as they are."""

import json
import re
import shlex

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from configs.addresses import has_secret, shown

CORE = "Zq7kernel"  # in each secret, and nowhere else
SCHEMES = [
    "http", "https", "git+https", "postgresql", "postgresql+psycopg2", "mysql+pymysql", "mssql+pyodbc", "redis",
    "mongodb", "amqp", "s3", "gs", "azure", "abfss", "ftp",
]  # fmt: skip
USERS_ALONE = ["postgresql", "postgresql+psycopg2", "mysql+pymysql", "mssql+pyodbc", "azure", "abfss"]
NAMES = [
    "password", "PASSWORD", "passwd", "pwd", "token", "access_token", "accessToken", "api_key", "apikey", "api-key",
    "key", "secret", "secret_key", "client_secret", "signature", "sig", "auth", "X-Amz-Signature", "X-Amz-Credential",
    "X-Amz-Security-Token", "X-Goog-Signature", "AWSAccessKeyId", "AccountKey", "pass%77ord", "sslpassword",
]  # fmt: skip
SAFE = [
    "format",
    "dump",
    "page",
    "monkey",
    "tokenizer",
    "workflowType",
    "region",
    "versionId",
    "keyboard",
    "X-Amz-Date",
]
BEGINNINGS = ["?", "?a=1&", "#", "#/x?b=2&", "?a;"]
parts = st.text("aZ09-._~%/@:!$'()*+,;=?# \"", max_size=6)
values = st.text("aZ09-._~%/@:!$()*+,;=?", max_size=6)
clean = st.text("abcXYZ019-._~", min_size=1, max_size=8)
hosts = st.sampled_from(["h", "db.example.org", "127.0.0.1:5000", "[::1]:5432", ""])


def as_it_is(address: str) -> str:
    return address


def set_on_the_command_line(address: str) -> str:
    return shlex.join(["w2v", "retrain", "--set", shown(f"tracking.uri={address}")])


def in_a_list(address: str) -> str:
    return json.dumps(["https://example.org/a.txt", address, "s3://bucket/b@c.txt"])


def in_a_sentence(address: str) -> str:
    return f"OSError: cannot reach {address!r} (tried 3 times)\nStart http://127.0.0.1:4200 or mail a@b.org"


PLACES = st.sampled_from([as_it_is, set_on_the_command_line, in_a_list, in_a_sentence])


@given(st.sampled_from(SCHEMES), st.sampled_from(["", "u", "me@corp.org", "%41"]), parts, parts, hosts, PLACES)
def test_no_password_is_shown(scheme: str, user: str, before: str, after: str, host: str, place: object) -> None:
    """A password is masked whatever characters it has; the one exception looks like a port."""
    address = f"{scheme}://{user}:{before}{CORE}{after}@{host}/x"
    assume("://" not in address.partition("://")[2])
    assume(not re.match(r"\d{1,5}[/?#\s'\"),;]", before))

    assert CORE not in shown(place(address))  # type: ignore[operator]
    assert has_secret(address)


@given(st.sampled_from([each for each in SCHEMES if each not in USERS_ALONE]), clean, hosts, PLACES)
def test_no_token_is_shown(scheme: str, before: str, host: str, place: object) -> None:
    """A user without a password is masked, except for schemes where that is usual."""
    address = f"{scheme}://{before}{CORE}@{host}/x"

    assert CORE not in shown(place(address))  # type: ignore[operator]
    assert has_secret(address)


@given(st.sampled_from(SCHEMES), st.sampled_from(NAMES), st.sampled_from(BEGINNINGS), values, values, PLACES)
def test_no_parameter_that_is_a_secret_is_shown(
    scheme: str, name: str, begin: str, before: str, after: str, place: object
) -> None:
    """Secrets in query and fragment are masked, also in signed addresses of S3 and Google."""
    address = f"{scheme}://h/x{begin}{name}={before}{CORE}{after}"
    assume("://" not in address.partition("://")[2])

    assert CORE not in shown(place(f"{address}&c=3"))  # type: ignore[operator]
    assert has_secret(address)


@given(st.sampled_from(NAMES), parts)
def test_of_an_address_alone_all_is_the_value(name: str, before: str) -> None:
    """In a text that is one address, a value ends only at the next parameter; blanks and quotes belong to it."""
    assume("://" not in before)

    assert CORE not in shown(f"https://h/x?{name}={before} {CORE}")


@given(st.sampled_from(SCHEMES), hosts, st.lists(st.text("abc0-._~@:+,", max_size=6), max_size=3),
       st.lists(st.tuples(st.sampled_from(SAFE), st.text("abc0-._~/ ", max_size=5)), max_size=3))  # fmt: skip
def test_what_has_no_secret_stays(scheme: str, host: str, path: list[str], parameters: list[tuple[str, str]]) -> None:
    """An @ or a colon in a path is not a secret, nor is a parameter with a similar name."""
    assume(":" not in host or scheme in ("http", "https") or not any("@" in each for each in path))
    query = "&".join("=".join(each) for each in parameters)
    address = "/".join([f"{scheme}://{host}", *path]) + (f"?{query}" if query else "")

    assert shown(address) == address
    assert not has_secret(address)


@pytest.mark.parametrize("address", [
    "postgresql://mlflow@db/mlflow", "postgresql+psycopg2://mlflow@db:5432/mlflow", "sqlite:////srv/u@host:1/x.db",
    "abfss://container@account.dfs.core.windows.net/a", "s3://bucket/u@h:1", "http://host:8081/repository/@scope/a.txt",
    "file:///a@b:c", "installed-docs", "data/a@b.txt", "http://[::1]:5000/a@b",
    "http://127.0.0.1:5000/#/experiments/1/runs/ab?workflowType=machine_learning", "https://h/?password=&token=",
])  # fmt: skip
def test_addresses_people_use(address: str) -> None:
    assert shown(address) == address


@given(st.text("abc:/@?&=#'\" …"))
def test_shown_twice_is_shown_once(text: str) -> None:
    """A masked text is not changed by masking it again."""
    assert shown(shown(text)) == shown(text)


def test_what_a_library_quotes_of_an_address_is_masked() -> None:
    """Parts of a secret alone are masked too, as typed and as decoded."""
    address = "http://me:pa/ss%40word@host/?token=abcdef"
    said = "Port could not be cast to integer value as 'pa'; unknown host 'ss@word@host', url: /?token=abcdef, abcdef"

    assert not any(part in shown(said, address) for part in ("ss@word", "ss%40word", "abcdef"))
