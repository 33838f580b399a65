"""The service's own credentials, for servers without passwords of the user: `<workspace>/service/environment`.

A shell can read the file too (`. workspace/service/environment`). Only its owner can read it. It is made by the first
`w2v up`, and again if others could have read it; the credentials are in no command line, log, run or deployment.
"""

import secrets
import shlex
from pathlib import Path

from flows.access import keys
from flows.access.lock import Lock
from flows.access.network import MLFLOW_NAME, MLFLOW_PASSWORD, PREFECT_PASSWORD, passwords_asked_for
from tasks.errors import PipelineError

FILE = "environment"
KEY = "W2V_LINK_KEY"  # the key that signs browsers' links and cookies
NAME = "w2v"


def make(folder: Path, addresses: dict[str, str]) -> dict[str, str]:
    """Write the credentials and the servers' addresses; return the credentials.

    Raises PipelineError if the file system has no permissions.
    """
    known, given = _read(folder), passwords_asked_for()
    fresh = {MLFLOW_NAME: NAME, MLFLOW_PASSWORD: _word(), PREFECT_PASSWORD: f"{NAME}:{_word()}", KEY: _word()}
    own = {name: known.get(name, word) for name, word in fresh.items() if name not in given}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in (addresses | own).items()]
    keys.write(folder / FILE, "".join(lines))
    return own


def read(folder: Path) -> dict[str, str]:
    """Return the credentials. Raises PipelineError if others can read the file, or this account cannot."""
    known = _read(folder)
    if not known:
        raise PipelineError(
            f"{folder / FILE}: no credentials of the service\nexpected  a file that only its owner can read\n"
            "found     none, or one that others can read too\nMake new ones: `w2v down`, then `w2v up`."
        )
    return known


def lock(server: str, own: dict[str, str], given: str = "") -> Lock:
    """Return the lock of a server: with the password given by the user, else with our own."""
    ours = {"prefect": own.get(PREFECT_PASSWORD), "mlflow": f"{own.get(MLFLOW_NAME)}:{own.get(MLFLOW_PASSWORD)}"}
    return Lock(given or ours[server] or "", own[KEY])


def _read(folder: Path) -> dict[str, str]:
    """Return the credentials, or nothing if there is no file or others could read it."""
    lines = keys.read(folder / FILE).splitlines()
    words = [shlex.split(line)[-1].partition("=") for line in lines if line.startswith("export ")]
    return {name: value for name, _, value in words if name in (MLFLOW_NAME, MLFLOW_PASSWORD, PREFECT_PASSWORD, KEY)}


def _word() -> str:
    return secrets.token_urlsafe(32)
