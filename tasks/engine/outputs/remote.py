"""Objects on a store that hosts share: S3, Google Cloud Storage, or a folder that all of them have mounted.

This module alone imports obstore, and only when an address is given. The client takes keys, endpoint and region from
the environment; they never pass through this code.
"""

import functools
import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from tasks.datasets.files import digest_of
from tasks.errors import RemoteError, StoreError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

BLOCK = 1 << 24  # bytes of one request: what a slow line carries within TIMEOUT
AT_ONCE = 8  # requests
TIMEOUT, CONNECT = "60s", "5s"  # of one request
RETRIES: Any = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=5), "base": 2},
}
PAUSE = 60.0  # seconds for which a store that could not be reached is not asked again
RACES, RACERS = 5, 8  # of the proof
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
# what a user must set, by scheme, so that an error can name it
KEYS = {"s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "gs": ("GOOGLE_APPLICATION_CREDENTIALS",), "file": ()}

_silent = False  # in a worker process
log = logging.getLogger("w2v")


class Listed(NamedTuple):
    """An object as it is listed."""

    bytes: int
    changed: datetime


class Remote:
    """The objects below an address. Every method raises RemoteError if the store cannot be reached or refuses."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._scheme = address.partition("://")[0]
        self._away = -PAUSE  # when it could not be reached
        with self._explained():
            self._objects = self._connected()

    def read(self, name: str) -> bytes | None:
        """Return the content of an object, None if there is none."""
        import obstore

        with self._explained():
            try:
                return bytes(obstore.get(self._objects, name).bytes())
            except FileNotFoundError:
                return None

    def create(self, name: str, content: bytes) -> bool:
        """Put an object unless there is one of this name; return whether it was put."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._explained():
            try:
                obstore.put(self._objects, name, content, mode="create")
            except AlreadyExistsError:
                return False
            return True

    def put(self, name: str, content: bytes | Path) -> None:
        """Put an object, or a file as an object; an object of this name is replaced."""
        import obstore

        with self._explained():
            obstore.put(self._objects, name, content)

    def blocks(self, name: str, size: int) -> Iterator[memoryview]:
        """Yield the bytes of an object of this size, in blocks. Raises FileNotFoundError if there is none."""
        import obstore

        for start in range(0, size, BLOCK):
            with self._explained():
                block = memoryview(obstore.get_range(self._objects, name, start=start, end=min(start + BLOCK, size)))
            if len(block) != min(BLOCK, size - start):
                raise self._away_now(f"{name} was cut")
            yield block

    def listed(self, prefix: str) -> dict[str, Listed]:
        """Return the objects whose names begin with `prefix/`, by the rest of their names."""
        import obstore

        with self._explained():
            found = [each for batch in obstore.list(self._objects, prefix) for each in batch]
        return {each["path"][len(prefix) + 1 :]: Listed(each["size"], each["last_modified"]) for each in found}

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects; those that are gone already are no error."""
        import obstore

        with self._explained():
            for batch in [names] if self._scheme == "s3" and names else [[name] for name in names]:
                with suppress(FileNotFoundError):
                    obstore.delete(self._objects, batch)

    @property
    def identity(self) -> str:
        """Return a digest of the address and the server that it leads to."""
        return digest_of([self.address, *(os.environ.get(name) for name in ENDPOINTS if self._scheme == "s3")])

    def place(self, name: str) -> str:
        """Return the address of an object, for a message."""
        return f"{self.address}/{name}"

    def _connected(self) -> "ObjectStore":
        if self._scheme == "file":
            return self._folder()
        from obstore.store import from_url

        plain = self._scheme == "s3" and any(os.environ.get(name, "").startswith("http://") for name in ENDPOINTS)
        options: Any = {"timeout": TIMEOUT, "connect_timeout": CONNECT, "allow_http": plain}
        return from_url(self.address, client_options=options, retry_config=RETRIES)

    def _folder(self) -> "ObjectStore":
        from obstore.store import LocalStore

        folder = Path(self.address.removeprefix("file://"))
        if not folder.is_dir():  # and is not created, since it may be a disk that is not mounted
            raise StoreError(
                f"{self.address}: no such folder\nexpected  a folder that every host has mounted\n"
                f"Mount it, or create it once: mkdir -p {folder}"
            )
        return LocalStore(folder, automatic_cleanup=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn obstore's errors into RemoteErrors with advice. They name environment variables, never their values."""
        if time.monotonic() - self._away < PAUSE:
            raise RemoteError(f"{self.address} could not be used a moment ago", new=False)
        try:
            from obstore.exceptions import BaseError
        except ImportError:
            raise StoreError(
                f"{self.address}: a shared store needs the package obstore, which is not installed\n"
                "Install it: pip install 'w2v-retraining[remote]', or --requirement requirements.lock."
            ) from None
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self._refused(error) from None
            raise
        except BaseError as error:
            raise self._refused(error) from None  # its text quotes the whole request

    def _refused(self, error: Exception) -> RemoteError:
        text = str(error)
        what = re.sub(r"^Generic \w+ error: ", "", text.partition("\n")[0])[:300]
        if code := re.search(r"<Code>(\w+)</Code>|os error (\d+)", text):
            what = f"{code[1] or os.strerror(int(code[2]))} ({what})"
        unset = [name for name in KEYS[self._scheme] if name not in os.environ]
        denied = type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError")
        if denied or (unset and "credential" in what.lower()):
            names = " and ".join(KEYS[self._scheme])
            where = f", where {unset[0]} is not set" if unset else ""
            keys = f"Keys are taken from the environment{where}: {names}, "
            self._away = time.monotonic()
            return RemoteError(
                f"{self.address} refuses this account: {what}\n{keys if names else 'Use an account '}"
                "of an account that may list, read, write and delete there."
            )
        return self._away_now(what)

    def _away_now(self, what: str) -> RemoteError:
        self._away = time.monotonic()
        error = RemoteError(
            f"{self.address} cannot be used: {what}\nNothing finished is lost. Run the command again when the store "
            "answers, or without it: --set runtime.remote="
        )
        error.__cause__ = ConnectionError(what)  # may pass: see retries.py
        return error


def leave_telling() -> None:
    """Say nothing of a remote that fails: the command, which uses it at the end of each stage, says so once for all."""
    global _silent
    _silent = True


@contextmanager
def going_on() -> Iterator[None]:
    """Go on without the remote if it fails: what is computed here is right, and is put there by a later command."""
    try:
        yield
    except RemoteError as error:
        if error.new and not _silent:
            log.warning(
                "⚠ %s\nThe work goes on without it; outputs are put there when they are used again, or by `w2v sync`.",
                error,
            )


@functools.cache
def _opened(address: str, environment: tuple[str | None, ...]) -> Remote:
    return Remote(address)


def opened(address: str) -> Remote:
    """Return the store at an address, the same object each time. Raises StoreError if obstore is not installed."""
    names = (*ENDPOINTS, *KEYS["s3"], *KEYS["gs"])
    return _opened(address, tuple(os.environ.get(name) for name in names))


def prove(remote: Remote, *, races: int = 1) -> None:
    """Prove that the store keeps the first of two objects of one name. Raises StoreError if it does not.

    Some servers ignore the condition, and others honour it only while nobody else writes.
    """
    for _ in range(races):
        name = f"probe/{uuid4().hex}"
        contents = [str(number).encode() for number in range(RACERS if races > 1 else 1)]
        with ThreadPoolExecutor(len(contents)) as pool:
            put = list(pool.map(functools.partial(remote.create, name), contents))
        late = remote.create(name, b"late")
        kept = remote.read(name)
        remote.delete([name])
        winners = [
            content for content, won in zip(contents, put, strict=True) if won
        ] or contents  # if an answer was lost
        if late or sum(put) > 1 or kept not in winners:
            raise StoreError(
                f"{remote.address}: this store does not honour put-if-absent (If-None-Match: *)\n"
                f"expected  1 of {len(put) + 1} writers of one new object to succeed, and its content to stay\n"
                f"found     {sum(put) + late} succeeded, and {kept!r} stayed\n"
                "Two hosts could overwrite each other's results. Upgrade the server, or use another: "
                "`w2v doctor --remote ADDRESS` checks it."
            )
