"""The service's own credentials, for the servers that its user gives no passwords: `<workspace>/service/environment`.

Lines that a shell can read too (`. workspace/service/environment`), for the eyes of one account: made at the first `w2v
up`, kept as long as nobody else could read them, in no command line, log, run or deployment.
"""

import secrets
import shlex
from pathlib import Path

from flows.access import keys
from flows.access.guard import Lock
from flows.access.network import MLFLOW_NAME, MLFLOW_PASSWORD, PREFECT_PASSWORD, passwords_asked_for
from tasks.errors import PipelineError

FILE = "environment"
KEY = "W2V_LINK_KEY"  # of the links and cookies of browsers
NAME = "w2v"


def make(folder: Path, addresses: dict[str, str]) -> dict[str, str]:
    """The credentials of this time, with where they hold. Raises PipelineError if the folder keeps no secret."""
    known, given = _read(folder), passwords_asked_for()
    fresh = {MLFLOW_NAME: NAME, MLFLOW_PASSWORD: _word(), PREFECT_PASSWORD: f"{NAME}:{_word()}", KEY: _word()}
    own = {name: known.get(name, word) for name, word in fresh.items() if name not in given}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in (addresses | own).items()]
    keys.write(folder / FILE, "".join(lines))
    return own


def read(folder: Path) -> dict[str, str]:
    """What `make` made. Raises PipelineError if others can read it, or this account cannot."""
    known = _read(folder)
    if not known:
        raise PipelineError(
            f"{folder / FILE}: no credentials of the service\nexpected  a file that only its owner can read\n"
            "found     none, or one that others can read too\nMake new ones: `w2v down`, then `w2v up`."
        )
    return known


def lock(server: str, own: dict[str, str], given: str = "") -> Lock:
    """Of a server of the service: what its user has given, else our own."""
    ours = {"prefect": own.get(PREFECT_PASSWORD), "mlflow": f"{own.get(MLFLOW_NAME)}:{own.get(MLFLOW_PASSWORD)}"}
    return Lock(given or ours[server] or "", own[KEY])


def _read(folder: Path) -> dict[str, str]:
    """Return nothing if there is no file, or it was not for one account alone."""
    lines = keys.read(folder / FILE).splitlines()
    words = [shlex.split(line)[-1].partition("=") for line in lines if line.startswith("export ")]
    return {name: value for name, _, value in words if name in (MLFLOW_NAME, MLFLOW_PASSWORD, PREFECT_PASSWORD, KEY)}


def _word() -> str:
    return secrets.token_urlsafe(32)
