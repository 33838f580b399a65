"""Keep a secret in a file that only its owner can read; it is made once, and is the same after a restart."""

import errno
import os
import secrets
import stat
from pathlib import Path

from tasks.errors import PipelineError

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def kept(file: Path, form: str = "{}") -> str:
    """Return the content of the file; if there is none, write `form` with a random word in it first.

    A file that others could have read is replaced. Raises PipelineError if the file system has no permissions.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if content := read(file):
        return content
    file.parent.chmod(0o700)
    content = form.format(secrets.token_urlsafe(32))
    write(file, content)
    return content


def write(file: Path, content: str) -> None:
    """Write a file atomically, so that only this account can ever read it.

    Raises PipelineError on a file system without permissions.
    """
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
            f"{file.parent} cannot hold a secret\nexpected  a file that only its owner can read\n"
            "found     a file system without permissions\n"
            "Choose a workspace on another file system, or set passwords: docs/how-to/access.md."
        )
    os.replace(beside, file)


def read(file: Path) -> str:
    """Return the content, or "" if there is no file, or others could have read it, written it or made it a link.

    Raises PipelineError if this account cannot read it.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return ""
    except OSError as error:
        if error.errno == errno.ELOOP:  # a symbolic link, possibly to another account's file
            return ""
        raise PipelineError(
            f"{file} is the secret of another account\nexpected  a file of this account\n"
            f"found     {error.strerror or error}\n"
            "Use a workspace of your own, or servers with passwords."
        ) from error
    with open(descriptor, encoding="utf-8") as stream:
        about = os.fstat(stream.fileno())
        return "" if about.st_mode & OTHERS or about.st_uid != os.getuid() else stream.read()
