"""The service's own credentials, for the servers that its user gives no passwords: `<workspace>/service/environment`.

Lines that a shell can read too (`. workspace/service/environment`), for the eyes of one account: made at the first `w2v
up`, kept as long as nobody else could read them, in no command line, log, run or deployment.
"""

import errno
import os
import secrets
import shlex
import stat
from pathlib import Path

from flows.guard import Lock
from flows.service.exposure import MLFLOW_NAME, MLFLOW_PASSWORD, PREFECT_PASSWORD, passwords_asked_for
from tasks._errors import PipelineError

FILE = "environment"
KEY = "W2V_LINK_KEY"  # of the links and cookies of browsers
NAME = "w2v"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make(folder: Path, addresses: dict[str, str]) -> dict[str, str]:
    """The credentials of this time, with where they hold. Raises PipelineError if the folder keeps no secret."""
    known, given = _read(folder), passwords_asked_for()
    fresh = {MLFLOW_NAME: NAME, MLFLOW_PASSWORD: _word(), PREFECT_PASSWORD: f"{NAME}:{_word()}", KEY: _word()}
    own = {name: known.get(name, word) for name, word in fresh.items() if name not in given}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in (addresses | own).items()]
    beside = folder / f"{FILE}.partial"
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
        shared = os.fstat(file.fileno()).st_mode & OTHERS
    if shared:
        beside.unlink()
        raise PipelineError(
            f"{folder} keeps no secret\nexpected  a file that only its owner can read\n"
            "found     a file system without permissions\n"
            "Choose another folder with --set runtime.workspace=FOLDER, or set passwords: docs/operate.md, "
            "Who may reach it."
        )
    os.replace(beside, folder / FILE)
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
    """Nothing if there is none, or if it was not for one account alone."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return {}
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link, which may lead to another account's
            return {}
        raise PipelineError(
            f"{folder / FILE}: the service is that of another account\nexpected  the account that called `w2v up`\n"
            f"found     {error.strerror or error}\nUse a workspace of your own, or servers that ask you for a password."
        ) from error
    with open(descriptor, encoding="utf-8") as file:
        if os.fstat(file.fileno()).st_mode & OTHERS:
            return {}
        words = [shlex.split(line)[-1].partition("=") for line in file if line.startswith("export ")]
    return {name: value for name, _, value in words if name in (MLFLOW_NAME, MLFLOW_PASSWORD, PREFECT_PASSWORD, KEY)}


def _word() -> str:
    return secrets.token_urlsafe(32)
