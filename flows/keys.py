"""A secret of one account, kept in a file that only it can read: made once, the same after a restart."""

import os
import secrets
import stat
from pathlib import Path

from tasks._errors import PipelineError

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def kept(file: Path, form: str = "{}") -> str:
    """The content of the file, written at first: `form` with a random word in it. It is made again if others could have
    read it. Raises PipelineError if the folder keeps no secret.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if content := _read(file):
        return content
    file.parent.chmod(0o700)
    content = form.format(secrets.token_urlsafe(32))
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
        shared = os.fstat(stream.fileno()).st_mode & OTHERS
    if shared:
        beside.unlink()
        raise PipelineError(
            f"{file.parent} keeps no secret\nexpected  a file that only its owner can read\n"
            "found     a file system without permissions\nChoose a workspace on another one."
        )
    os.replace(beside, file)
    return content


def _read(file: Path) -> str:
    """Nothing if there is none, or if others could have read it or made it."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise PipelineError(
            f"{file} cannot be read\nexpected  a file of this account's own\nfound     {error.strerror or error}\n"
            "Delete it: another is made."
        ) from error
    with open(descriptor, encoding="utf-8") as stream:
        about = os.fstat(stream.fileno())
        return "" if about.st_mode & OTHERS or about.st_uid != os.getuid() else stream.read()
